"""What scores mean and how good they are.

In the order of use: ``log_odds`` (logits that expect a given share), ``score_mixture`` and ``class_prior`` (the number
of particles), ``early_stopping`` (average precision from labels and unlabelled candidates), ``likelihood`` (calibrated
score and probability); against truth ``metrics`` and ``reliability``; of several pickers ``consensus``.
"""
