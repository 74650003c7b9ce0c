"""Places of a micrograph that a network learns from.

In the order of use: ``regions`` (positive discs and the arithmetic of the class prior), ``crops`` (squares gathered
from resident micrographs, turned and mirrored), ``patches`` (squares on which a network scores several regions at
once).
"""
