"""Settings of the whole test suite.

A test that needs a system package or the real micrographs skips with their name where they are missing.  With
``PUPICKER_NO_SKIP=1`` (continuous integration) a skipped test fails the run: there, nothing may be missing.  Tests of
what a machine either has or has not are no part of that: those marked ``gpu`` are deselected without CUDA, those marked
``python38`` without that Python.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from pupicker.tests.shared_folder import VARIABLE, shared_folder

# How long an example takes is no property of the code; a busy machine must not fail a test.  Every run draws the same
# examples: what fails here fails elsewhere.
hypothesis.settings.register_profile("pupicker", deadline=None, derandomize=True)
hypothesis.settings.load_profile("pupicker")

# Files that are tested at the same time (make test) share the cores: one thread each, for child processes too; those
# that have more do not keep a core busy while they wait.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# No test looks into the models of whoever runs it; one that publishes names a folder of its own.
os.environ["PUPICKER_USER_MODELS"] = os.path.join(os.sep, "nonexistent", "pupicker")
os.environ.pop("PUPICKER_MODELS", None)

NO_SKIP = os.environ.get("PUPICKER_NO_SKIP", "") not in ("", "0")


TESTS = Path(__file__).resolve().parent
WITH_SCIPION = ("workflows", "windows", "protocols", "plugin", "convert")
"""Folders whose tests need Scipion: select or leave them out with ``-m scipion``."""
LONGEST_FIRST = ("workflows", "windows", "protocols", "plugin", "commands", "engine")
"""Folders whose files take minutes: they start first, else one worker does the last of them alone."""


@pytest.fixture(scope="session", autouse=True)
def _shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests of Scipion, which know no fixtures, find the folder in the environment."""
    os.environ.pop(VARIABLE, None)  # that of another run, which started this one
    shared_folder(tmp_path_factory)
    yield
    os.environ.pop(VARIABLE, None)


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the benchmark programs, importable as for a program that is started above it."""
    folder = Path(__file__).resolve().parents[2] / "benchmarks"
    if not folder.is_dir():
        pytest.skip("needs the repository: benchmarks is not beside the package")
    monkeypatch.syspath_prepend(str(folder.parent))
    return folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort the tests by their folders, and take out those for which this machine lacks something."""
    for item in items:
        if item.path.relative_to(TESTS).parts[0] in WITH_SCIPION:
            item.add_marker(pytest.mark.scipion)
    places = {folder: place for place, folder in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.relative_to(TESTS).parts[0], len(places)))
    for marker, is_there in (("gpu", _has_cuda), ("python38", _has_python_3_8)):
        marked = [item for item in items if item.get_closest_marker(marker)]
        if marked and not is_there():
            items[:] = [item for item in items if item not in marked]
            config.hook.pytest_deselected(items=marked)


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _has_python_3_8() -> bool:
    """Whether one starts: a version manager's stand-in may be on the PATH without a Python behind it."""
    try:
        return subprocess.run(["python3.8", "-c", ""], capture_output=True).returncode == 0
    except OSError:
        return False


def _skipped(config: pytest.Config) -> list[pytest.TestReport]:
    """Reports of the tests and files that were skipped in this run."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return list(reporter.stats.get("skipped", [])) if reporter else []


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a passed run with skipped tests into a failed one if none may be skipped."""
    if NO_SKIP and session.exitstatus == pytest.ExitCode.OK and _skipped(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """List the tests that were skipped although none may be."""
    skipped = _skipped(config)
    if NO_SKIP and skipped:
        terminalreporter.section("skipped, which PUPICKER_NO_SKIP=1 forbids", red=True)
        for report in skipped:
            terminalreporter.line(report.nodeid)
