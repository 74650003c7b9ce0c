"""Run the command line of this very copy of pupicker under any interpreter, and note how it ended.

::

    PYTHON launch.py OUTCOME.json COMMAND ARGUMENT...

The protocols start the core with this file instead of ``python -m pupicker``, for two reasons:

* The interpreter may belong to another environment, where pupicker is not installed.  Putting the folder above the
  package on ``PYTHONPATH`` would let it import everything beside it, which may be Scipion's site-packages made for
  another Python.  Here only the package itself is made known.
* A step sent to a queue comes back without an exit code, and a failed job without its message.  ``OUTCOME.json``
  holds both: ``{"exit_code": int, "error": "one line"}``.  Without that file the process was killed.

Only the standard library, and syntax that an old Python can read, so that it can say that it is too old.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import traceback
from typing import Any

PACKAGE_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MINIMUM_PYTHON = (3, 10)
TERMINATED = 143
REMEDY = "set PUPICKER_PYTHON to the Python of an environment that has the core of pupicker"


class ErrorLine:
    """A text stream that passes everything on and remembers the last ``pupicker ...: error: ...`` line."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._unfinished = ""
        self.last = ""

    def write(self, text: str) -> int:
        """Write `text` to the wrapped stream."""
        lines = (self._unfinished + text).split("\n")
        self._unfinished = lines.pop()
        for line in lines:
            if line.startswith("pupicker") and ": error: " in line:
                self.last = line.strip()
        return int(self._stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def register_package() -> None:
    """Make ``import pupicker`` mean the package of this file, and nothing else of what lies in it or beside it."""
    own = (PACKAGE_FOLDER, os.path.dirname(os.path.abspath(__file__)))
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder or ".") not in own]
    spec = importlib.util.spec_from_file_location(
        "pupicker", os.path.join(PACKAGE_FOLDER, "__init__.py"), submodule_search_locations=[PACKAGE_FOLDER]
    )
    assert spec is not None and spec.loader is not None  # a file path always has both
    module = importlib.util.module_from_spec(spec)
    sys.modules["pupicker"] = module
    spec.loader.exec_module(module)


def run_command(arguments: list[str]) -> tuple[int, str]:
    """Run ``pupicker ARGUMENTS``; return the exit code and, if it failed, one line that says why."""
    if sys.version_info < MINIMUM_PYTHON:
        version = ".".join(map(str, sys.version_info[:2]))
        return 1, f"pupicker: error: {sys.executable} is Python {version}, but 3.10 or later is needed: {REMEDY}"
    register_package()
    try:
        from pupicker.commands.main import main

        return main(arguments), ""
    except SystemExit as end:  # argparse ends this way
        return (end.code if isinstance(end.code, int) else 1), ""
    except ImportError as error:
        traceback.print_exc()
        return 1, f"pupicker: error: {sys.executable} cannot run the core ({error}): {REMEDY}"
    except Exception as error:
        traceback.print_exc()
        return 1, f"pupicker: error: {type(error).__name__}: {error}"


def write_outcome(path: str, exit_code: int, error: str) -> None:
    """Write the outcome file at once, never half."""
    temporary = path + ".part"
    try:
        with open(temporary, "w", encoding="utf-8") as stream:
            json.dump({"exit_code": exit_code, "error": error}, stream)
        os.replace(temporary, path)
    except OSError:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def main() -> int:
    """Parse ``sys.argv``, run, note the outcome; return the exit code."""
    if len(sys.argv) < 3:
        sys.stderr.write(__doc__ or "")
        return 2
    stderr = ErrorLine(sys.stderr)
    sys.stderr = stderr
    exit_code, error = run_command(sys.argv[2:])
    if error:
        sys.stderr.write(error.replace("\n", " ") + "\n")
    if stderr.last or exit_code != TERMINATED:  # a bare end is no outcome of its own: whoever ended it knows
        try:
            write_outcome(sys.argv[1], exit_code, stderr.last)
        except OSError as problem:
            stderr.write(f"pupicker: error: {sys.argv[1]}: {problem.strerror or problem}\n")
            return exit_code or 1
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
