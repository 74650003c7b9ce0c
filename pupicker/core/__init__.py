"""Pure functions on tensors: the method, without files and without Scipion.

=====================  ================================================================
:mod:`.downsampling`   Fourier resizing of micrographs
:mod:`.histograms`     binned micrographs, what the normalisation is fitted on
:mod:`.normalization`  joint two-component Gaussian mixture with one scale per micrograph
:mod:`.background`     removal of what varies on a larger scale than the particle
:mod:`.geometry`       every length that follows from the particle diameter
:mod:`.regions`        discs of positive pixels around labels, class-prior arithmetic
:mod:`.crops`          minibatches gathered from micrographs that stay in memory
:mod:`.objectives`     PN, nnPU, GE-KL, GE-binomial
:mod:`.networks`       convolutional classifiers
:mod:`.scoring`        dense scores of a whole micrograph
:mod:`.suppression`    greedy non-maximum suppression, sub-pixel maxima
:mod:`.likelihood`     log-likelihood ratio and probability of a score
:mod:`.class_prior`    number of particles, from scores of labels and candidates
:mod:`.selection`      average precision from labels and unlabelled candidates
:mod:`.metrics`        matching of picks, precision, recall, average precision
=====================  ================================================================
"""
