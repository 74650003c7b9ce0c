"""From pixels to what a network can see.

In the order of use: ``borders`` (bands without an image), ``downsampling``, ``histograms`` and ``normalization`` (a
mixture for all, a scale for each), ``background`` (flattening); ``noise`` (that looks like the background).
"""
