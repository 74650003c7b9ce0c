"""
@article{Bepler2019,
title = {Positive-unlabeled convolutional neural networks for particle picking in cryo-electron micrographs},
author = {Bepler, Tristan and Morin, Andrew and Rapp, Micah and Brasch, Julia and Shapiro, Lawrence and Noble, Alex J. and Berger, Bonnie},
journal = {Nature Methods},
volume = {16},
number = {11},
pages = {1153-1160},
year = {2019},
doi = {10.1038/s41592-019-0575-8},
url = {https://doi.org/10.1038/s41592-019-0575-8}
}

@inproceedings{Kiryo2017,
title = {Positive-unlabeled learning with non-negative risk estimator},
author = {Kiryo, Ryuichi and Niu, Gang and du Plessis, Marthinus C. and Sugiyama, Masashi},
booktitle = {Advances in Neural Information Processing Systems},
volume = {30},
pages = {1675-1685},
year = {2017},
doi = {10.48550/arXiv.1703.00593},
url = {https://doi.org/10.48550/arXiv.1703.00593}
}
"""  # noqa: E501  (a reference is not wrapped)
