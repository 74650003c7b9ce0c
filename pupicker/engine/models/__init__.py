"""Trained networks as files.

In the order of use: ``initial_weights`` (what a training starts from), ``checkpoint`` (an unfinished training),
``model_file``, ``model_card`` (what a model says for people).
"""
