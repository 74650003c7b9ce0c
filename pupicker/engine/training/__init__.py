"""From labels to a model.

``train`` is the one way to train.  In the order of use: ``options`` (and the task that they belong to), ``labels`` and
``dataset`` (what is learnt from, what is held out) with ``digest``,
``pseudo_labels`` (without labels), ``initial_count`` (particles, before), ``trainer`` (the stages) with
``minibatches``, ``optimisation``, ``validation`` and ``particle_count`` (particles, while training),
``suggested_threshold``, ``calibrated_model``, ``status`` (how far a training is); afterwards ``recalibration``.
"""
