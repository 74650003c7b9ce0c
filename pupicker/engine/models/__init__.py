"""Trained networks as files.

In the order of use: ``initial_weights`` (what a training starts from), ``checkpoint`` (an unfinished training),
``training_record`` (what a model remembers of it), ``model_file`` with ``header_schema`` (what its header must hold)
and ``stored_weights`` (what its tensors must be), ``other_files`` (what is no model), ``model_card`` (what a model says
for people), ``library`` (models by name, and published).
"""
