"""Protocols of the plugin; Scipion finds the classes imported here.

``protocol_base`` is what all share.  In the order of a project: ``protocol_import_model``, ``protocol_preprocess``,
``protocol_train``, ``protocol_cross_validate``, ``protocol_pick`` and ``protocol_baseline`` (without labels) with
``picking_state`` (Continue, streams), ``batch_records`` and ``progress_text``; ``protocol_threshold``,
``protocol_evaluate``.  Their fields are in ``forms``.
"""

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
