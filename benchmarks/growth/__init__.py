"""What a run costs when it grows, and what it survives while micrographs arrive.

``project``
    Micrographs under many names, a Scipion project of its own, runs in it.
``processes``
    Processor time and memory of the processes of a run.
``sampling``
    What is measured while a run goes on: a line a chunk of micrographs; when each arrived and was done.
``look``
    One look of the streaming loop at many known micrographs, as the host does it and as we do.
``live``
    The worker is killed at random moments; whether anything is lost or doubled.
``report``
    Table and figure.
"""
