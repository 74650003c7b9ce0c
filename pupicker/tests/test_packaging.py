"""What is installed is what the project says it is: metadata, data files, dependencies, make targets, skipped tests."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import pupicker
from pupicker.constants import CORE_REQUIREMENTS

REPOSITORY = Path(pupicker.__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "pupicker"
DISTRIBUTION = "scipion-em-pupicker"

pytestmark = pytest.mark.skipif(
    not (REPOSITORY / "setup.py").is_file(), reason="needs the repository: setup.py is not beside the package"
)


def canonical(requirement: str) -> str:
    """Name of the distribution that a line of requirements asks for, as package indexes compare names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[ <>=!~;\[]", requirement.strip())[0]).lower()


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Path]:
    """The source archive and the wheel, built from a copy of the tree by the build back end."""
    folder = tmp_path_factory.mktemp("build")
    tree, out = folder / "tree", folder / "out"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "demo", "wheels", "venv*")
    shutil.copytree(REPOSITORY, tree, ignore=ignored)
    out.mkdir()
    script = (
        "import sys; from setuptools import build_meta as backend\n"
        "out = sys.argv[1]; backend.build_sdist(out); backend.build_wheel(out)"
    )
    result = subprocess.run([sys.executable, "-c", script, str(out)], cwd=tree, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    (archive,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return archive, wheel


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory) -> importlib.metadata.Distribution:
    """Metadata of the wheel, as pip would install them."""
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(built[1]) as wheel:
        wheel.extractall(folder)
    (metadata,) = folder.glob("*.dist-info")
    return importlib.metadata.Distribution.at(metadata)


def test_version_is_the_same_everywhere(installed):
    assert installed.metadata["Name"] == DISTRIBUTION
    assert installed.version == pupicker.__version__
    newest = re.search(r"^(\d+\.\d+\.\d+):$", (REPOSITORY / "CHANGES.txt").read_text(), re.MULTILINE)
    assert newest and newest.group(1) == pupicker.__version__


def test_entry_points(installed):
    declared = {(entry.group, entry.name): entry.value for entry in installed.entry_points}
    assert declared == {
        ("pyworkflow.plugin", "pupicker"): "pupicker",
        ("console_scripts", "pupicker"): "pupicker.commands.main:main",
    }
    (script,) = installed.entry_points.select(group="console_scripts")
    assert callable(script.load())


def test_plugin_needs_scipion_only(installed):
    assert installed.metadata["License"] == "GPL-3.0-or-later"
    assert installed.metadata["Requires-Python"] == ">=3.8"
    requirements = installed.requires or []
    assert [line for line in requirements if "extra ==" not in line] == ["scipion-em>=3.11"]
    core = {line.split(";")[0].strip() for line in requirements if re.search(r"extra == .core.", line)}
    assert "torch>=2.4" in core
    assert core == set(CORE_REQUIREMENTS), "what the plugin installs for the core is the extra [core]"


@pytest.mark.parametrize("name", ["protocols.conf", "pupicker_logo.png", "protocols/__init__.py"])
def test_wheel_contains(built, name):
    with zipfile.ZipFile(built[1]) as wheel:
        assert f"pupicker/{name}" in wheel.namelist()


def test_wheel_contains_every_module_and_the_licence(built):
    with zipfile.ZipFile(built[1]) as wheel:
        names = set(wheel.namelist())
    modules = {path.relative_to(REPOSITORY).as_posix() for path in PACKAGE.rglob("*.py")}
    assert modules - names == set()
    assert any(re.fullmatch(r".*\.dist-info/(licenses/)?LICENSE", name) for name in names)
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"pupicker"}


def test_source_archive_builds_by_itself(built):
    with tarfile.open(built[0]) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    needed = {"setup.py", "pyproject.toml", "requirements.txt", "constraints.txt", "LICENSE", "README.md", "Makefile",
              "CHANGES.txt", "tools/bootstrap.sh", "pupicker/protocols.conf", "pupicker/pupicker_logo.png"}
    assert needed - names == set()


def imported_names(path: Path) -> set[str]:
    """Top-level names that a module imports anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(str(node.module).split(".")[0])
    return names


@pytest.mark.parametrize("layer", ["core", "engine", "commands", "simulation"])
def test_extra_core_names_what_the_core_imports(layer, installed):
    core = {canonical(line) for line in installed.requires or [] if re.search(r"extra == .core.", line)}
    used: set[str] = set().union(*(imported_names(path) for path in (PACKAGE / layer).rglob("*.py")))
    third_party = used - set(sys.stdlib_module_names) - {"pupicker"}
    assert {canonical(name) for name in third_party} - core == set()


def test_constraints_pin_every_direct_requirement(installed):
    lines = [line.split("#")[0].strip() for line in (REPOSITORY / "constraints.txt").read_text().splitlines()]
    pinned = {canonical(line) for line in lines if line}
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+(; python_version .*)?", line) for line in lines if line)
    assert {canonical(line) for line in installed.requires or []} - pinned == set()
    assert "torch==2.13.0" in lines


def test_make_help_lists_the_targets():
    if shutil.which("make") is None:
        pytest.skip("needs make")
    result = subprocess.run(["make", "--no-print-directory"], cwd=REPOSITORY, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert {"install", "lint", "test", "demo", "clean"} <= {line.split()[0] for line in result.stdout.splitlines()[1:]}


def test_bootstrap_refuses_a_python_that_is_too_old(tmp_path):
    """Its one line names the interpreter and says what to do; nothing is made."""
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    environment = {**os.environ, "PYTHON": str(old)}
    command = ["sh", str(REPOSITORY / "tools" / "bootstrap.sh"), str(tmp_path / "venv")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 1
    assert str(old) in result.stderr and "make PYTHON=" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "venv").exists()


def test_bootstrap_leaves_a_folder_that_is_no_environment_alone(tmp_path):
    precious = tmp_path / "home" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("three years")
    command = ["sh", str(REPOSITORY / "tools" / "bootstrap.sh"), str(precious.parent)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1 and "no virtual environment" in result.stderr
    assert precious.read_text() == "three years"


@pytest.mark.parametrize(("forbidden", "code"), [("1", 1), ("0", 0)])
def test_skipped_tests_fail_the_run_where_none_may_be_skipped(tmp_path, forbidden, code):
    shutil.copy(PACKAGE / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_two.py").write_text(
        "import pytest\n\ndef test_passes():\n    pass\n\ndef test_skips():\n    pytest.skip('needs relion')\n"
    )
    environment = {**os.environ, "PUPICKER_NO_SKIP": forbidden}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", str(tmp_path)]
    result = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == code, result.stdout
    assert "needs relion" in result.stdout
    assert ("test_two.py::test_skips" in result.stdout) == bool(code)
