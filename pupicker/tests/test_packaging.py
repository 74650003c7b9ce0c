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
from pupicker.constants import CORE_REQUIREMENTS, SCIPION_EM_MINIMUM

REPOSITORY = Path(pupicker.__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "pupicker"
DISTRIBUTION = "scipion-em-pupicker"

pytestmark = pytest.mark.skipif(
    not (REPOSITORY / "setup.py").is_file(), reason="needs the repository: setup.py is not beside the package"
)


def asked_for(distribution: importlib.metadata.Distribution, extra: str) -> list[str]:
    """What an extra of the distribution asks for, without its marker."""
    lines = distribution.requires or []
    return [line.split(";")[0].strip() for line in lines if re.search(rf"extra == .{extra}\b", line)]


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


def test_the_command_line_does_without_scipion(installed):
    assert installed.metadata["License"] == "GPL-3.0-or-later"
    assert installed.metadata["Requires-Python"] == ">=3.8"
    assert [line for line in installed.requires or [] if "extra ==" not in line] == []
    core = asked_for(installed, "core")
    assert "torch>=2.4" in core
    assert set(core) == set(CORE_REQUIREMENTS), "what the plugin installs for the core is the extra [core]"
    assert not [line for line in core + asked_for(installed, "test") if "scipion" in line]


def test_the_plugin_says_which_scipion_it_needs(installed):
    """The extra, the file that Scipion's own tools read, and what the plugin checks."""
    minimum = "scipion-em>={}.{}".format(*SCIPION_EM_MINIMUM)
    lines = (REPOSITORY / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == [minimum]
    assert asked_for(installed, "scipion") == [minimum]


def closure(names: list[str]) -> dict[str, importlib.metadata.Distribution]:
    """The distributions of this environment that have one of the names, and all that they need."""
    requirements = pytest.importorskip("packaging.requirements")
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = [canonical(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        needs = [requirements.Requirement(line) for line in found[name].requires or []]
        waiting += [canonical(need.name) for need in needs if not need.marker or need.marker.evaluate({"extra": ""})]
    return found


@pytest.mark.slow
def test_core_alone_simulates_and_picks(installed, built, tmp_path):
    """An environment with the wheel and what [core] brings, by links: no Scipion, and all the command line asks for."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    script = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.run([python, "-c", script], check=True, capture_output=True, text=True).stdout.strip())
    for distribution in closure(asked_for(installed, "core")).values():
        for name in {file.parts[0] for file in distribution.files or []} - {"..", "__pycache__"}:
            if not (site / name).exists():
                (site / name).symlink_to(str(distribution.locate_file(name)))
    with zipfile.ZipFile(built[1]) as wheel:
        wheel.extractall(site)
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}

    def run(*words: str) -> str:
        command = [python, *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    found = run("-c", "import importlib.util as u; print(u.find_spec('pwem'), u.find_spec('pyworkflow'))")
    assert found.strip() == "None None"
    assert str(site) in run("-c", "import pupicker; print(pupicker.__file__)")
    run("-m", "pupicker", "--help")
    run("-m", "pupicker", "simulate", "--output", "mics", "--micrographs", "1", "--width", "512", "--height", "512",
        "--particles", "10", "--pixel-size", "4", "--snr", "0.5")
    run("-m", "pupicker", "baseline", "general", "mics", "--diameter", "160", "--output", "picks", "--html",
        "report.html")
    assert (tmp_path / "report.html").stat().st_size > 1000
    assert list((tmp_path / "picks").glob("*"))


def test_every_pattern_of_package_data_matches_a_file(built):
    """In the tree, in the archive and in the wheel."""
    calls = [node for node in ast.walk(ast.parse((REPOSITORY / "setup.py").read_text())) if isinstance(node, ast.Call)]
    (value,) = [word.value for call in calls for word in call.keywords if word.arg == "package_data"]
    (patterns,) = ast.literal_eval(value).values()
    assert "py.typed" in patterns
    expected = {file.relative_to(REPOSITORY).as_posix() for pattern in patterns for file in PACKAGE.glob(pattern)}
    for pattern in patterns:
        assert [file for file in PACKAGE.glob(pattern) if file.is_file()], f"no file for {pattern}"
    with zipfile.ZipFile(built[1]) as wheel:
        assert expected - set(wheel.namelist()) == set()
    with tarfile.open(built[0]) as archive:
        assert expected - {name.split("/", 1)[1] for name in archive.getnames() if "/" in name} == set()


@pytest.mark.parametrize("name", ["protocols.conf", "pupicker_logo.png", "protocols/__init__.py", "py.typed"])
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
    asked_for = {"ncempy"}  # optional: without it, reading its format says what to install
    assert {canonical({"PIL": "pillow"}.get(name, name)) for name in third_party - asked_for} - core == set()


def test_constraints_pin_every_direct_requirement(installed):
    lines = [line.split("#")[0].strip() for line in (REPOSITORY / "constraints.txt").read_text().splitlines()]
    pinned = {canonical(line) for line in lines if line}
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+(; python_version .*)?", line) for line in lines if line)
    assert {canonical(line) for line in installed.requires or []} - pinned == set()
    assert "torch==2.13.0" in lines


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
def test_constraints_pin_nothing_twice(version):
    """pip refuses two pins of one package; markers tell them apart."""
    requirements = pytest.importorskip("packaging.requirements")
    lines = [line.split("#")[0].strip() for line in (REPOSITORY / "constraints.txt").read_text().splitlines()]
    pins = [requirements.Requirement(line) for line in lines if line]
    held = [canonical(pin.name) for pin in pins if not pin.marker or pin.marker.evaluate({"python_version": version})]
    assert len(held) == len(set(held))
    assert {"torch", "numpy", "matplotlib", "scipion-em"} <= set(held)


def test_make_help_lists_the_targets():
    if shutil.which("make") is None:
        pytest.skip("needs make")
    result = subprocess.run(["make", "--no-print-directory"], cwd=REPOSITORY, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert {"install", "lint", "test", "demo", "clean"} <= {line.split()[0] for line in result.stdout.splitlines()[1:]}


@pytest.mark.parametrize(("settings", "all_of_them"), [([], False), (["SLOW=0"], False), (["SLOW=1"], True)])
def test_make_test_leaves_the_slow_tests_out_unless_told(settings, all_of_them):
    if shutil.which("make") is None:
        pytest.skip("needs make")
    command = ["make", "--no-print-directory", "--dry-run", "test", *settings]
    of_make = ("SLOW", "MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS")  # of the make that runs these tests
    own = {name: value for name, value in os.environ.items() if name not in of_make}
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, env=own)
    assert result.returncode == 0, result.stderr
    (pytest_line,) = [line for line in result.stdout.splitlines() if "-m pytest" in line]
    assert ('-m "not slow"' in pytest_line) is not all_of_them


def test_continuous_integration_runs_all_tests():
    """And none may be skipped there.  A deselected test is not a skipped one."""
    script = (REPOSITORY / ".ci" / "run").read_text()
    assert "PUPICKER_NO_SKIP=1" in script and "make test SLOW=1" in script


@pytest.mark.slow
def test_bootstrap_keeps_what_pip_says_in_a_log(tmp_path):
    """The terminal shows the steps and, of what failed, the end, where the rest is, and what to do."""
    (tmp_path / "wheels").mkdir()
    environment = {**os.environ, "PYTHON": sys.executable, "WHEELS": str(tmp_path / "wheels"), "PIP_FIND_LINKS": "",
                   "PIP_CONFIG_FILE": os.devnull}
    command = ["sh", str(REPOSITORY / "tools" / "bootstrap.sh"), str(tmp_path / "venv")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    log = tmp_path / "venv" / "install.log"
    assert result.returncode == 1 and result.stdout == ""
    assert "setup: [1/4] " in result.stderr and "setup: [2/4] PyTorch" in result.stderr
    assert "No matching distribution" in result.stderr and "No matching distribution" in log.read_text()
    assert str(log) in result.stderr and "make WHEELS=folder" in result.stderr
    assert not (tmp_path / "venv" / "pupicker.stamp").exists()


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
