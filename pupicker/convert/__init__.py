"""Between Scipion's sets and the files of the command line.

In the order of use: ``micrographs`` (linked or converted for the core), ``labels`` (labelled particles of one set of
micrographs on those of another), ``picks`` (tables to coordinates and back), ``set_columns`` (attributes of a set that
can be looked at without loading it), ``batch_records`` (what batches leave for the report), ``origin`` (what
picks were made with), ``other_runs`` (what another run has made by now), ``corrections`` (of picks, by hand).
"""
