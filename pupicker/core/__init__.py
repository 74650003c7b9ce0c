"""Pure functions on tensors: the method, without files and without Scipion.

In the order of use: ``geometry`` (every length that follows from the particle's diameter), ``image`` (downsampling,
normalisation, flattening), ``regions`` (what is learnt from), ``networks``, ``objectives``,
``adamw`` (the steps of a training), ``detection`` (scores of an
image, maxima), ``scores`` (what they mean, how good they are).
"""
