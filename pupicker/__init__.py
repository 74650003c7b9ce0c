"""pupicker: particle picking in cryo-EM micrographs from a few labelled examples.

Three layers, imports only downward:

* :mod:`pupicker.core`: pure functions on tensors, no files, no Scipion;
* :mod:`pupicker.engine` and :mod:`pupicker.commands`: files, training, picking, the command line;
* the Scipion plugin (``plugin``, ``objects``, ``convert``, ``protocols``): parses, calls the command line as a
  process, converts.  It never imports torch.

For Python programs: :func:`train`, :func:`pick`, :func:`evaluate`, :func:`load_model`, :func:`save_model`,
:func:`read_micrograph`, :func:`read_coordinates`, :func:`write_coordinates`, :class:`CoordinateTable`,
:class:`TrainingOptions`, :class:`PickingOptions`, :func:`set_precision` and :class:`PuPickerError` (docs/python.md).
They and ``Plugin`` are looked up when they are asked for, so that ``import pupicker`` loads neither torch nor Scipion.
"""

from typing import TYPE_CHECKING, List

if TYPE_CHECKING:
    from pupicker.engine.evaluation.picks import evaluate
    from pupicker.engine.files.coordinate_table import CoordinateTable
    from pupicker.engine.files.coordinates import read_coordinates, write_coordinates
    from pupicker.engine.files.micrographs import read_image as read_micrograph
    from pupicker.engine.models.model_file import load_model, save_model
    from pupicker.engine.picking.pick import pick
    from pupicker.engine.picking.picker import PickingOptions
    from pupicker.engine.runtime.device import set_precision
    from pupicker.engine.runtime.errors import PuPickerError
    from pupicker.engine.training.options import TrainingOptions
    from pupicker.engine.training.train import train_from_files as train

__version__ = "1.1.0"

# Raised when a training or a picking gives other numbers than before (tests/golden.py); benchmark records carry it.
METHOD_VERSION = 4

_logo = "pupicker_logo.png"
_references = ["Bepler2019"]


_PUBLIC = {
    "CoordinateTable": "pupicker.engine.files.coordinate_table:CoordinateTable",
    "PickingOptions": "pupicker.engine.picking.picker:PickingOptions",
    "PuPickerError": "pupicker.engine.runtime.errors:PuPickerError",
    "TrainingOptions": "pupicker.engine.training.options:TrainingOptions",
    "evaluate": "pupicker.engine.evaluation.picks:evaluate",
    "load_model": "pupicker.engine.models.model_file:load_model",
    "pick": "pupicker.engine.picking.pick:pick",
    "read_coordinates": "pupicker.engine.files.coordinates:read_coordinates",
    "read_micrograph": "pupicker.engine.files.micrographs:read_image",
    "save_model": "pupicker.engine.models.model_file:save_model",
    "set_precision": "pupicker.engine.runtime.device:set_precision",
    "train": "pupicker.engine.training.train:train_from_files",
    "write_coordinates": "pupicker.engine.files.coordinates:write_coordinates",
}

__all__ = ["METHOD_VERSION", "CoordinateTable", "PickingOptions", "PuPickerError", "TrainingOptions", "__version__",
           "evaluate", "load_model", "pick", "read_coordinates", "read_micrograph", "save_model", "set_precision",
           "train",           "write_coordinates"]


def __getattr__(name: str) -> object:
    if name == "Plugin":
        from pupicker.plugin.plugin import Plugin

        return Plugin
    if name in _PUBLIC:
        from importlib import import_module

        module, attribute = _PUBLIC[name].split(":")
        return getattr(import_module(module), attribute)
    raise AttributeError("module 'pupicker' has no attribute %r" % name)


def __dir__() -> List[str]:
    return sorted(set(globals()) | set(__all__))
