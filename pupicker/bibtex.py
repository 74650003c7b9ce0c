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

@article{Roseman2003,
title = {Particle finding in electron micrographs using a fast local correlation algorithm},
author = {Roseman, Alan M.},
journal = {Ultramicroscopy},
volume = {94},
number = {3-4},
pages = {225-236},
year = {2003},
doi = {10.1016/S0304-3991(02)00333-9},
url = {https://doi.org/10.1016/S0304-3991(02)00333-9}
}

@article{Voss2009,
title = {{DoG} {Picker} and {TiltPicker}: software tools to facilitate particle selection in single particle electron microscopy},
author = {Voss, N. R. and Yoshioka, C. K. and Radermacher, M. and Potter, C. S. and Carragher, B.},
journal = {Journal of Structural Biology},
volume = {166},
number = {2},
pages = {205-213},
year = {2009},
doi = {10.1016/j.jsb.2009.01.004},
url = {https://doi.org/10.1016/j.jsb.2009.01.004}
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
