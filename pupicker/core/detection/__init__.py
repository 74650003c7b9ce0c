"""From an image to places with scores.

In the order of use: ``contamination`` (where not to look), ``scoring`` (dense scores of a network), ``picking_network``
(what makes them cheap), ``suppression`` (maxima, sub-pixel positions), ``candidates`` (both, and what may not be picked
left out), ``map_levels`` (whether a micrograph is as usual), ``background`` and ``noise_floor`` (what noise alone would
give), ``symmetry`` (scores of the eight turned and mirrored views of a pick); without a network ``template`` and
``dog``, and by the latter ``agreement`` (whether given places are where blobs are); ``local_ranks`` (whether a map is
higher at given places than around them).
"""
