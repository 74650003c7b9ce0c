"""Viewers of the plugin; Scipion finds the classes imported here."""

from pupicker.viewers.viewer_cross_validation import PuPickerCrossValidationViewer
from pupicker.viewers.viewer_evaluation import PuPickerEvaluationViewer
from pupicker.viewers.viewer_model import PuPickerModelViewer
from pupicker.viewers.viewer_scores import PuPickerScoresViewer
from pupicker.viewers.viewer_training import PuPickerTrainingViewer

__all__ = [
    "PuPickerCrossValidationViewer",
    "PuPickerEvaluationViewer",
    "PuPickerModelViewer",
    "PuPickerScoresViewer",
    "PuPickerTrainingViewer",
]
