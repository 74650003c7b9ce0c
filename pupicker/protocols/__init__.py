"""Protocols of the plugin; Scipion finds the classes imported here.

In the order of a project: ``protocol_import_model``, ``protocol_preprocess``, ``protocol_label``,
``protocol_import_labels``, ``protocol_train``, ``protocol_cross_validate``, ``protocol_pick``, ``protocol_baseline``
(without labels), ``protocol_live`` (picks and trains), ``protocol_combine`` (several pickers), ``protocol_threshold``,
``protocol_evaluate``, ``protocol_publish_model``.  What they share is in ``bases``, their fields are in ``forms``.

The bases are not imported here, so that Scipion does not take them for protocols.
"""

from pupicker.protocols.protocol_baseline import ProtPuPickerBaseline
from pupicker.protocols.protocol_combine import ProtPuPickerCombine
from pupicker.protocols.protocol_cross_validate import ProtPuPickerCrossValidate
from pupicker.protocols.protocol_evaluate import ProtPuPickerEvaluate
from pupicker.protocols.protocol_import_labels import ProtPuPickerImportLabels
from pupicker.protocols.protocol_import_model import ProtPuPickerImportModel
from pupicker.protocols.protocol_label import ProtPuPickerLabel
from pupicker.protocols.protocol_live import ProtPuPickerLive
from pupicker.protocols.protocol_pick import ProtPuPickerPick
from pupicker.protocols.protocol_preprocess import ProtPuPickerPreprocess
from pupicker.protocols.protocol_publish_model import ProtPuPickerPublishModel
from pupicker.protocols.protocol_threshold import ProtPuPickerThreshold
from pupicker.protocols.protocol_train import ProtPuPickerTrain

__all__ = [
    "ProtPuPickerBaseline",
    "ProtPuPickerCombine",
    "ProtPuPickerCrossValidate",
    "ProtPuPickerEvaluate",
    "ProtPuPickerImportLabels",
    "ProtPuPickerImportModel",
    "ProtPuPickerLabel",
    "ProtPuPickerLive",
    "ProtPuPickerPick",
    "ProtPuPickerPreprocess",
    "ProtPuPickerPublishModel",
    "ProtPuPickerThreshold",
    "ProtPuPickerTrain",
]
