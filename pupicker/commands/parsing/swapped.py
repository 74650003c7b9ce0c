"""A model and micrographs that have changed places on the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from pupicker.commands.parsing.targets import MODELS
from pupicker.engine.runtime.errors import UsageError
from pupicker.shared.model_header import is_model
from pupicker.shared.names import named_as_micrograph


def check_swapped(args: argparse.Namespace) -> None:
    """Raise UsageError if a model is given where micrographs are expected, and say where it belongs."""
    given, option = getattr(args, "micrographs", None), next((name for name in MODELS if hasattr(args, name)), None)
    if option is None or not isinstance(given, list):
        return
    for path in map(Path, given):
        if not named_as_micrograph(path) and is_model(path):
            instead = getattr(args, option)
            if instead is not None and named_as_micrograph(instead):
                raise UsageError(f"{path} is a model, and --{option} {instead} is a micrograph: exchange them")
            raise UsageError(f"{path}: is a model, not a micrograph; a model is given by --{option}")
