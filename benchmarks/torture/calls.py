"""Which tests call which functions: only those can notice a change in one, and the quick ones of them come first."""

from __future__ import annotations

import ast
import json
import sys
import threading
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from pupicker.shared.json_files import write_json

MOST_S = 30.0
"""Of processor time: the quickest tests of a function that together take so long are enough."""

Function = tuple[str, int]
"""Module, from the package, and the first line; line 0 stands for what is run when the module is loaded."""


class Recorder:
    """Plugin of pytest that writes the functions each test calls, and how long the test takes.

    What a fixture calls counts for every test that asks for the fixture, though it is made for the first of them only.
    """

    def __init__(self, package: Path, output: Path) -> None:
        self._package, self._output = f"{package}/", output
        self._called: set[CodeType] = set()
        self._of_fixtures: dict[str, set[CodeType]] = {}
        self._rows: list[dict[str, Any]] = []

    def _note(self, frame: FrameType, event: str, argument: object) -> None:
        self._called.add(frame.f_code)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Generator[None, Any, Any]:
        """Keep what the fixture calls apart."""
        before, self._called = self._called, set()
        try:
            return (yield)
        finally:
            self._of_fixtures.setdefault(fixturedef.argname, set()).update(self._called)
            self._called |= before

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Function) -> Generator[None, Any, Any]:
        """One test, with its fixtures."""
        self._called, begin = set(), time.process_time()
        threading.settrace(self._note)
        sys.settrace(self._note)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)
            called = self._called.union(*(self._of_fixtures.get(name, set()) for name in item.fixturenames))
            self._rows.append({"test": item.nodeid, "seconds": time.process_time() - begin, "calls": sorted(
                {(code.co_filename.removeprefix(self._package), code.co_firstlineno) for code in called
                 if code.co_filename.startswith(self._package)})})

    def pytest_sessionfinish(self) -> None:
        """All tests were run."""
        write_json(self._output, self._rows)


@dataclass(frozen=True)
class Calls:
    """Tests by the functions that they call, the quickest first."""

    rows: tuple[tuple[str, float, frozenset[Function]], ...]

    @classmethod
    def read(cls, path: Path) -> Calls:
        """What a :class:`Recorder` wrote."""
        rows = [(row["test"], row["seconds"], frozenset((name, line) for name, line in row["calls"]))
                for row in json.loads(path.read_text())]
        return cls(tuple(sorted(rows, key=lambda row: row[1])))

    def tests_of(self, function: Function) -> list[str]:
        """Those that can notice a change; of what is run when a module is loaded, all that call into the module."""
        module, line = function
        chosen, seconds = [], 0.0
        for test, took, called in self.rows:
            if function in called or (line == 0 and any(name == module for name, _ in called)):
                chosen.append(test)
                seconds += took
                if seconds > MOST_S:
                    break
        return chosen


def function_at(tree: ast.Module, wanted: ast.AST) -> int:
    """First line of the outermost function or method that holds a node of the tree; 0 if none does."""
    def of(nodes: Iterable[ast.AST]) -> int:
        for node in nodes:
            if any(inner is wanted for inner in ast.walk(node)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                return of(ast.iter_child_nodes(node))
        return 0

    return of(tree.body)
