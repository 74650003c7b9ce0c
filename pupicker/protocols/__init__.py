"""Protocols of the plugin; Scipion finds the classes imported here.

``protocol_base`` is what all share.  In the order of a project: ``protocol_import_model``, ``protocol_preprocess``,
``protocol_label``, ``protocol_import_labels``;
``learning_base`` (labels in, options of a training) with ``protocol_train`` and ``protocol_cross_validate``;
``picking_base`` (batches in streaming) with ``picking_state`` (Continue), ``protocol_pick`` and
``protocol_baseline`` (without labels); ``protocol_threshold``, ``protocol_evaluate``, ``protocol_publish_model``.
Their fields are in ``forms``.

The bases are not imported here, so that Scipion does not take them for protocols.
"""

from pupicker.protocols.protocol_baseline import ProtPuPickerBaseline
from pupicker.protocols.protocol_cross_validate import ProtPuPickerCrossValidate
from pupicker.protocols.protocol_evaluate import ProtPuPickerEvaluate
from pupicker.protocols.protocol_import_labels import ProtPuPickerImportLabels
from pupicker.protocols.protocol_import_model import ProtPuPickerImportModel
from pupicker.protocols.protocol_label import ProtPuPickerLabel
from pupicker.protocols.protocol_pick import ProtPuPickerPick
from pupicker.protocols.protocol_preprocess import ProtPuPickerPreprocess
from pupicker.protocols.protocol_publish_model import ProtPuPickerPublishModel
from pupicker.protocols.protocol_threshold import ProtPuPickerThreshold
from pupicker.protocols.protocol_train import ProtPuPickerTrain

__all__ = [
    "ProtPuPickerBaseline",
    "ProtPuPickerCrossValidate",
    "ProtPuPickerEvaluate",
    "ProtPuPickerImportLabels",
    "ProtPuPickerImportModel",
    "ProtPuPickerLabel",
    "ProtPuPickerPick",
    "ProtPuPickerPreprocess",
    "ProtPuPickerPublishModel",
    "ProtPuPickerThreshold",
    "ProtPuPickerTrain",
]
