"""No function of core and engine takes more than six parameters: more are a bundle that has no name yet."""

from __future__ import annotations

import ast
from pathlib import Path

import pupicker

PACKAGE = Path(pupicker.__file__).resolve().parent
MAX_PARAMETERS = 6


def parameters_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Without self and cls."""
    given = function.args
    names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    names += [a.arg for a in (given.vararg, given.kwarg) if a is not None]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def functions_with_more() -> set[str]:
    found = set()
    for layer in ("core", "engine"):
        for path in sorted((PACKAGE / layer).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) \
                        and len(parameters_of(node)) > MAX_PARAMETERS:
                    found.add(f"{path.relative_to(PACKAGE).as_posix()}: {node.name}")
    return found


def test_at_most_six_parameters():
    assert functions_with_more() == set()
