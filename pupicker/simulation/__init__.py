"""Simulated cryo-EM micrographs with known truth: for the demo, for tests, for trying settings before real data.

A micrograph is the product of small models, one module each::

    ``config``        every setting, validated
    ``density``       what a particle looks like in 3D: a map, atoms, or a made-up shape (``shapes``)
    ``projection``    its views from random directions (Fourier slice theorem)
    ``placement``     where particles lie: random, not overlapping, away from dirt
    ``contamination`` carbon edge, gold, ice crystals, aggregates, membranes
    ``ctf``           contrast transfer of the microscope
    ``micrograph``    puts them together, adds structural and shot noise, converts to the pixel type
    ``dataset``       writes many micrographs with their truth table
    ``random_shapes`` bodies of all kinds, for weights that know no particle in particular
    ``random_scene``  micrographs of them under drawn conditions, some of them empty
    ``detector``      coloured noise, illumination, defective lines

Everything follows from :class:`pupicker.simulation.config.SimulationConfig` and the index of the micrograph:
micrograph 7 of a seed has the same pixels whether ten or a thousand are made, in whichever order.

This file imports nothing, so that the command line can show the defaults without loading torch.
"""
