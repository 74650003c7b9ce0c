"""Protocols of the plugin; Scipion finds the classes imported here."""

from pupicker.protocols.protocol_baseline import ProtPuPickerBaseline
from pupicker.protocols.protocol_cross_validate import ProtPuPickerCrossValidate
from pupicker.protocols.protocol_evaluate import ProtPuPickerEvaluate
from pupicker.protocols.protocol_import_model import ProtPuPickerImportModel
from pupicker.protocols.protocol_pick import ProtPuPickerPick
from pupicker.protocols.protocol_preprocess import ProtPuPickerPreprocess
from pupicker.protocols.protocol_threshold import ProtPuPickerThreshold
from pupicker.protocols.protocol_train import ProtPuPickerTrain

__all__ = [
    "ProtPuPickerBaseline",
    "ProtPuPickerCrossValidate",
    "ProtPuPickerEvaluate",
    "ProtPuPickerImportModel",
    "ProtPuPickerPick",
    "ProtPuPickerPreprocess",
    "ProtPuPickerThreshold",
    "ProtPuPickerTrain",
]
