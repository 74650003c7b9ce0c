"""Picks against known particles: ``picks`` (one to one), ``regions`` (pixel by pixel, as the paper does); and against
those of other pickers: ``consensus``.
"""
