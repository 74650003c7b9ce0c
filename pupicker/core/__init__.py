"""Pure functions on tensors: the method, without files and without Scipion.

=====================  ================================================================
:mod:`.downsampling`   Fourier resizing of micrographs
:mod:`.borders`        bands without an image at the edges
:mod:`.histograms`     binned micrographs, what the normalisation is fitted on
:mod:`.normalization`  joint two-component Gaussian mixture with one scale per micrograph
:mod:`.exclusion`      where not to pick: margin, estimated contamination
:mod:`.background`     removal of what varies on a larger scale than the particle
:mod:`.geometry`       every length that follows from the particle diameter
:mod:`.regions`        discs of positive pixels around labels, class-prior arithmetic
:mod:`.crops`          minibatches gathered from micrographs that stay in memory
:mod:`.patches`        squares on which a network scores several regions at once
:mod:`.objectives`     PN, nnPU, GE-KL, GE-binomial and its other forms
:mod:`.autoencoder`    decoder and weight of the autoencoder term
:mod:`.networks`       convolutional classifiers
:mod:`.baselines`      picking without learning: difference of Gaussians, templates
:mod:`.scoring`        dense scores of a whole micrograph
:mod:`.suppression`    greedy non-maximum suppression, sub-pixel maxima
:mod:`.orbit`          scores of the eight turned and mirrored views of a pick
:mod:`.likelihood`     log-likelihood ratio and probability of a score
:mod:`.log_odds`       logits that expect a given share of positives
:mod:`.reliability`    whether probabilities are right
:mod:`.class_prior`    number of particles, from scores of labels and candidates
:mod:`.score_mixture`  the same, from two kinds of scores among held-out candidates
:mod:`.selection`      average precision from labels and unlabelled candidates
:mod:`.metrics`        matching of picks, precision, recall, average precision
=====================  ================================================================
"""
