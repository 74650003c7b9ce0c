"""pupicker: particle picking in cryo-EM micrographs from a few labelled examples.

Three layers, imports only downward:

* :mod:`pupicker.core`: pure functions on tensors, no files, no Scipion;
* :mod:`pupicker.engine` and :mod:`pupicker.commands`: files, training, picking, the command line;
* the Scipion plugin (``plugin``, ``objects``, ``convert``, ``protocols``): parses, calls the command line as a
  process, converts.  It never imports torch.

``Plugin`` is looked up lazily, so that ``import pupicker.core`` works where Scipion is not installed.
"""

__version__ = "1.0.0"

# Raised when a training or a picking gives other numbers than before (tests/golden.py); benchmark records carry it.
METHOD_VERSION = 1

_logo = "pupicker_logo.png"
_references = ["Bepler2019"]


def __getattr__(name: str) -> object:
    if name == "Plugin":
        from pupicker.plugin.plugin import Plugin

        return Plugin
    raise AttributeError("module 'pupicker' has no attribute %r" % name)
