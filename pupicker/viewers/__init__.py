"""Viewers of the plugin; Scipion finds the classes imported here.

It offers the viewers of an object in the alphabetical order of their names here, and opens the first.  The scores come
first for coordinates that have them (for others that viewer is not offered), before the coordinate viewer of pwem, that
is named ``ACoordinateViewer`` for the same reason.

``browser`` is the window that most are, ``threshold_control`` a part of two of them; ``viewer_scores`` with
``scored_set`` and ``scores`` (the arithmetic), ``corrections`` with ``pick_editing`` (by hand), ``gallery``,
``viewer_training`` and ``viewer_cross_validation`` with ``model_header``, ``viewer_model``, ``viewer_evaluation``.
"""

from pupicker.viewers.viewer_cross_validation import PuPickerCrossValidationViewer
from pupicker.viewers.viewer_evaluation import PuPickerEvaluationViewer
from pupicker.viewers.viewer_model import PuPickerModelViewer
from pupicker.viewers.viewer_scores import PuPickerScoresViewer as AAPuPickerScoresViewer
from pupicker.viewers.viewer_training import PuPickerTrainingViewer

__all__ = [
    "AAPuPickerScoresViewer",
    "PuPickerCrossValidationViewer",
    "PuPickerEvaluationViewer",
    "PuPickerModelViewer",
    "PuPickerTrainingViewer",
]
