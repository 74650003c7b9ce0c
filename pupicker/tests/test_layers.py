"""The three layers: what may import what, and which Python each has to run on."""

from __future__ import annotations

import ast
import graphlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pupicker

PACKAGE = Path(pupicker.__file__).resolve().parent
ROOMS = (
    "shared", "window",
    "core", "core/image", "core/regions", "core/networks", "core/objectives", "core/detection", "core/scores",
    "engine/runtime", "engine/files", "engine/files/coordinates", "engine/models", "engine/preparation",
    "engine/picking", "engine/evaluation", "engine/training", "engine/pretraining", "engine/cross_validation",
    "engine/serving", "engine/reports",
    "simulation", "commands/parsing", "commands",
    "plugin", "convert", "gui", "protocols/forms", "protocols/bases", "protocols", "wizards", "viewers",
)
"""The folders, from the bottom up: a module imports from its own folder and from those before it."""

SAYS_LITTLE = {"pupicker", "pupicker.constants", "pupicker.objects", "pupicker.bibtex"}
"""Modules beside the folders that anything of the plugin may import; the core imports the package's version only."""

CORE_LAYERS = ("core", "engine", "commands", "simulation")
PLUGIN_PACKAGES = ("plugin", "convert", "shared", "window", "protocols", "wizards", "viewers", "gui")
NUMERICS = {"torch", "numpy", "scipy", "mrcfile", "tifffile", "safetensors", "starfile", "gemmi"}
MOST_MODULES = 16
ONE_EACH = {"commands": 17}
"""A module a command."""


def plugin_modules():
    """Modules of the Scipion layer: those beside the folders, its own folders, and the door to the core."""
    modules = sorted(PACKAGE.glob("*.py"))
    for name in PLUGIN_PACKAGES:
        modules += sorted((PACKAGE / name).rglob("*.py"))
    return modules


def modules_of_folders():
    """Every module of the package in a folder, without tests."""
    for path in sorted(PACKAGE.rglob("*.py")):
        folder = path.parent.relative_to(PACKAGE).as_posix()
        if folder != "." and folder.split("/")[0] != "tests":
            yield folder, path


def folder_of(name):
    """Folder of a module or of something in it, relative to the package; None: it is no folder of this package."""
    parts = name.split(".")
    if parts[0] != "pupicker" or len(parts) == 1:
        return None
    path = PACKAGE
    for part in parts[1:]:
        if not (path / part).is_dir():
            break
        path /= part
    return path.relative_to(PACKAGE).as_posix()


def imported_modules(path):
    """Full names of the modules that a file imports; the package itself names more for type checkers alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if path == PACKAGE / "__init__.py":
        tree.body = [node for node in tree.body if ast.unparse(node).split(":")[0] != "if TYPE_CHECKING"]
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_tools_import_no_tests():
    """But the support that Scipion and RELION need; pupicker/tests/benchmarks says what benchmarks may import."""
    tools = PACKAGE.parent / "tools"
    if not tools.is_dir():
        pytest.skip("needs the repository: tools is not beside the package")
    found = {path.name: imported_modules(path) for path in tools.glob("*.py")}
    assert len(found) > 5
    of_tests = {m for modules in found.values() for m in modules if m.startswith("pupicker.tests")}
    assert all(module.startswith("pupicker.tests.scipion") for module in of_tests)


def test_there_are_plugin_modules():
    names = {path.relative_to(PACKAGE).as_posix() for path in plugin_modules()}
    assert {"plugin/plugin.py", "objects.py", "convert/picks.py", "protocols/protocol_pick.py"} <= names


def test_every_folder_has_its_place():
    assert {folder for folder, _ in modules_of_folders()} - {"engine"} == set(ROOMS)


def test_imports_go_downward_only():
    found = []
    for folder, path in modules_of_folders():
        for name in imported_modules(path):
            other = folder_of(name)
            if other in (None, ".", "tests", "engine", folder) or folder == "engine":
                continue
            if ROOMS.index(other) > ROOMS.index(folder):
                found.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert found == []


def test_the_house_has_no_circle_and_few_arrows():
    """Its rooms are the folders and the modules beside them; ``__init__`` looks names up for others."""
    arrows = {}
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room in ("tests", "__init__"):
            continue
        for name in imported_modules(path):
            parts = name.split(".")
            other = parts[1] if parts[0] == "pupicker" and len(parts) > 1 else room
            there = (PACKAGE / other).is_dir() or (PACKAGE / f"{other}.py").is_file()
            if there and other not in ("tests", room):
                arrows.setdefault(room, set()).add(other)
    assert tuple(graphlib.TopologicalSorter(arrows).static_order())  # CycleError if there is one
    assert sum(map(len, arrows.values())) < 60


def test_no_folder_is_a_drawer():
    """A newcomer reads a listing at a glance; the tests mirror the package and follow the same rule."""
    counts = {}
    for path in PACKAGE.rglob("*.py"):
        if path.name != "__init__.py":
            folder = path.parent.relative_to(PACKAGE).as_posix()
            counts[folder] = counts.get(folder, 0) + 1
    assert {folder: count for folder, count in counts.items() if count > ONE_EACH.get(folder, MOST_MODULES)} == {}


@pytest.mark.parametrize("folder", [name for name in ROOMS if name not in ("engine",)])
def test_a_folder_lists_its_modules(folder):
    """In the order of use, in the docstring of the package."""
    path = PACKAGE / folder / "__init__.py"
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    modules = [p.stem for p in sorted(path.parent.glob("*.py")) if p.stem not in ("__init__", "__main__")]
    missing = [name for name in modules if f"``{name}``" not in text]
    assert missing == []


BUILT_IN = {"list", "dict", "tuple", "set", "frozenset", "type"}


def what_is_newer_than_python_3_8(text):
    """What an old Python cannot read or has not got, as far as the text tells: empty if nothing."""
    vermin = pytest.importorskip("vermin", reason="needs vermin")
    try:
        tree = ast.parse(text, feature_version=(3, 8))
    except SyntaxError as error:
        return [f"syntax in line {error.lineno}"]
    config, unread = vermin.Config(), set()
    if "from __future__ import annotations" in text:  # Python does not evaluate them
        for node in ast.walk(tree):
            for name in ("annotation", "returns"):
                unread |= set(ast.walk(getattr(node, name, None) or ast.Pass()))
    else:
        config.set_eval_annotations(True)
    found = [f"line {node.lineno}: {node.value.id}[...]" for node in ast.walk(tree) if isinstance(node, ast.Subscript)
             and node not in unread and isinstance(node.value, ast.Name) and node.value.id in BUILT_IN]
    minimum = vermin.detect(text, config)[1]
    return found + ([f"of Python {minimum[0]}.{minimum[1]}: type vermin FILE to see what"] if minimum > (3, 8) else [])


@pytest.mark.parametrize("path", [*plugin_modules(), PACKAGE / "commands" / "launch.py"],
                         ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_plugin_module_is_python_3_8(path):
    """And so is the launcher, so that it can tell an old Python that it is too old."""
    assert what_is_newer_than_python_3_8(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("text", [
    "'abc'.removeprefix('a')", "import functools\nfunctools.cache", "zip([1], [2], strict=True)", "{1: 2} | {3: 4}",
    "match x:\n    case 1: pass", "with (open('a') as a, open('b') as b):\n    pass", "pairs = list[int]",
    "from itertools import pairwise", "import zoneinfo", "@(a or b)\ndef f(): pass",
])
def test_what_is_newer_is_noticed(text):
    assert what_is_newer_than_python_3_8(text) != []


OLD_PYTHON = """
import glob, importlib, os, sys
package = sys.argv[1]
sys.dont_write_bytecode = True
for path in sys.argv[2:]:
    compile(open(path, encoding="utf-8").read(), path, "exec")
sys.path.insert(0, os.path.dirname(package))
names = [os.path.basename(path)[:-3] for path in glob.glob(os.path.join(package, "shared", "*.py"))]
assert "__init__" in names and len(names) > 3, names
for name in names:
    importlib.import_module("pupicker.shared." + name)
"""


@pytest.mark.python38
def test_a_real_python_3_8_reads_it_all(tmp_path):
    """It compiles every module, imports what needs no Scipion, and is told that it is too old for the core."""
    python, launcher = "python3.8", PACKAGE / "commands" / "launch.py"
    command = [python, "-c", OLD_PYTHON, str(PACKAGE), *map(str, plugin_modules()), str(launcher)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([python, str(launcher), str(tmp_path / "outcome.json"), "info", "m"], capture_output=True)
    outcome = json.loads((tmp_path / "outcome.json").read_text())
    assert done.returncode == outcome["exit_code"] == 1
    assert "is Python 3.8, but 3.10 or later is needed" in outcome["error"]


@pytest.mark.parametrize(
    "path", [path for path in plugin_modules() if path.name != "__main__.py"],
    ids=lambda path: path.relative_to(PACKAGE).as_posix(),
)
def test_plugin_module_imports_no_numerics_and_no_core(path):
    names = imported_modules(path)
    # Windows count and draw with numpy, which Scipion has; nothing of the plugin computes with anything else.
    allowed = {"numpy"} if path.parent.name in ("gui", "viewers", "window") else set()
    assert {name.split(".")[0] for name in names} & NUMERICS <= allowed
    assert [name for name in names if name.startswith(tuple(f"pupicker.{layer}" for layer in CORE_LAYERS))] == []


def test_the_engine_speaks_no_options():
    """It names parameters; the command line and the forms have words of their own for them."""
    found = set()
    for layer in ("core", "engine"):
        for path in sorted((PACKAGE / layer).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
            texts = {id(node.body[0].value) for node in ast.walk(tree) if isinstance(node, documented)
                     and node.body and isinstance(node.body[0], ast.Expr)}
            for node in ast.walk(tree):
                if (isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts
                        and re.search(r"--[a-z]", node.value)):
                    found.add(path.relative_to(PACKAGE).as_posix())
    assert found == set()


def test_the_library_writes_to_no_stream():
    """It logs; only the progress bar is drawn, on the stream that it is given."""
    found = []
    for layer in ("core", "engine"):
        for path in sorted((PACKAGE / layer).rglob("*.py")):
            if "sys.std" in path.read_text(encoding="utf-8"):
                found.append(path.relative_to(PACKAGE).as_posix())
    assert found == []


@pytest.mark.parametrize("layer", CORE_LAYERS)
def test_core_layers_know_nothing_of_the_plugin(layer):
    found = {}
    for path in sorted((PACKAGE / layer).rglob("*.py")):
        names = imported_modules(path)
        bad = [n for n in names if n.split(".")[0] in ("pyworkflow", "pwem", "scipion")]
        bad += [n for n in names if n in SAYS_LITTLE - {"pupicker"} or n.startswith("pupicker.schedule")]
        if bad:
            found[path.name] = sorted(bad)
    assert found == {}


def loaded_modules(code):
    """Modules that are loaded after `code` ran in a fresh interpreter."""
    script = code + "\nimport json, sys; sys.stdout.write(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    result = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_importing_the_core_loads_no_scipion():
    modules = sorted(
        ".".join(("pupicker", *path.relative_to(PACKAGE).with_suffix("").parts))
        for layer in CORE_LAYERS for path in (PACKAGE / layer).rglob("*.py")
    )
    loaded = loaded_modules("\n".join(f"import {name.replace('.__init__', '')}" for name in modules))
    assert {"pyworkflow", "pwem", "tkinter"} & loaded == set()


def test_importing_the_plugin_loads_no_torch_and_no_core():
    if importlib.util.find_spec("pwem") is None:
        pytest.skip("needs scipion-em")
    code = (
        "from pupicker.tests.scipion import scipion_environment\n"
        "import pyworkflow\n"
        "domain = pyworkflow.Config.getDomain()\n"
        "assert 'ProtPuPickerPick' in domain.getProtocols()\n"
        "assert domain.getPlugins()['pupicker'].Plugin.validateInstallation() is not None"
    )
    loaded = loaded_modules(code)
    assert "pupicker.protocols.protocol_pick" in loaded
    assert "torch" not in loaded
    assert [name for name in loaded if name.startswith(tuple(f"pupicker.{layer}." for layer in CORE_LAYERS))] == []


def test_commands_on_tables_load_no_torch(tmp_path):
    """Loading it takes longer than all that they do."""
    table = str(tmp_path / "picks.tsv")
    Path(table).write_text("micrograph\tx\ty\tscore\nmic\t10\t20\t1.5\n")
    lines = ["from pupicker.commands.main import main"]
    evaluate = ["evaluate", "--picks", table, "--truth", table, "--radius", "5"]
    for words in (evaluate, ["convert", table, f"{table}.star"]):
        lines.append(f"assert main({words!r}) == 0")
    assert "torch" not in loaded_modules("\n".join(lines))


def test_what_reads_mrc_files_loads_nothing_for_others_nor_for_pages(tmp_path):
    """A tenth of a second and more each."""
    file = str(tmp_path / "a.mrc")
    lines = ["import numpy", "from pupicker.commands.main import main",
             "from pupicker.engine.files.micrographs import write_mrc",
             f"write_mrc({file!r}, numpy.ones((300, 300), 'float32'), 6.0)"]
    for words in (["pick", file, "--model", "none.pupicker", "--output", str(tmp_path / "picks.tsv")],
                  ["preprocess", file, "--output", str(tmp_path / "out"), "--target-pixel-size", "9"]):
        lines.append(f"assert main({words!r}) == 1")
    loaded = loaded_modules("\n".join(lines))
    assert "torch" in loaded
    assert {"gemmi", "tifffile", "matplotlib", "jinja2", "torch._dynamo"} & loaded == set()


def test_the_environment_of_the_core_gets_what_the_extra_asks_for():
    """``scipion installb pupicker`` and ``pip install scipion-em-pupicker[core]`` install the same."""
    from pupicker.constants import CORE_REQUIREMENTS

    setup = PACKAGE.parent / "setup.py"
    if not setup.is_file():
        pytest.skip("needs the repository: setup.py is not beside the package")
    values = {
        node.targets[0].id: node.value for node in ast.parse(setup.read_text()).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert ast.literal_eval(values["CORE"]) == list(CORE_REQUIREMENTS)
