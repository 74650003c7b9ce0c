"""The three layers: what may import what, and which Python each has to run on."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pupicker

PACKAGE = Path(pupicker.__file__).resolve().parent
CORE_LAYERS = ("core", "engine", "commands", "simulation")
PLUGIN_PACKAGES = ("protocols", "wizards", "viewers", "gui")
NUMERICS = {"torch", "numpy", "scipy", "mrcfile", "tifffile", "safetensors", "starfile", "gemmi"}


def plugin_modules():
    """Modules of the Scipion layer: those beside the core's folders, and its own folders."""
    modules = sorted(PACKAGE.glob("*.py"))
    for name in PLUGIN_PACKAGES:
        modules += sorted((PACKAGE / name).rglob("*.py"))
    return modules


def imported_modules(path, top_level_only=False):
    """Full names of the modules that a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_there_are_plugin_modules():
    names = {path.relative_to(PACKAGE).as_posix() for path in plugin_modules()}
    assert {"plugin.py", "objects.py", "convert.py", "launch.py", "protocols/protocol_pick.py"} <= names


@pytest.mark.parametrize("path", plugin_modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_plugin_module_is_python_3_8(path):
    assert ast.parse(path.read_text(encoding="utf-8"), filename=str(path), feature_version=(3, 8)).body is not None


@pytest.mark.parametrize(
    "path", [path for path in plugin_modules() if path.name != "__main__.py"],
    ids=lambda path: path.relative_to(PACKAGE).as_posix(),
)
def test_plugin_module_imports_no_numerics_and_no_core(path):
    names = imported_modules(path)
    # Windows count and draw with numpy, which Scipion has; nothing of the plugin computes with anything else.
    allowed = {"numpy"} if path.parent.name in ("gui", "viewers") else set()
    assert {name.split(".")[0] for name in names} & NUMERICS <= allowed
    if path.name != "launch.py":  # it is the one door between the two, and runs in the core's process
        assert [name for name in names if name.startswith(tuple(f"pupicker.{layer}" for layer in CORE_LAYERS))] == []


@pytest.mark.parametrize("layer", CORE_LAYERS)
def test_core_layers_never_import_upwards(layer):
    above = {"core": ("engine", "commands", "simulation"), "engine": ("commands", "simulation"),
             "simulation": ("commands",), "commands": ()}[layer]
    forbidden = tuple(f"pupicker.{name}" for name in
                      (*above, "plugin", "objects", "convert", *PLUGIN_PACKAGES, "bibtex", "launch"))
    found = {}
    for path in sorted((PACKAGE / layer).rglob("*.py")):
        names = imported_modules(path)
        bad = [n for n in names if n in forbidden or n.startswith(tuple(f"{item}." for item in forbidden))]
        bad += [n for n in names if n.split(".")[0] in ("pyworkflow", "pwem", "scipion")]
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


@pytest.mark.parametrize("layer", CORE_LAYERS)
def test_importing_the_core_loads_no_scipion(layer):
    modules = sorted(
        ".".join(("pupicker", *path.relative_to(PACKAGE).with_suffix("").parts))
        for path in (PACKAGE / layer).rglob("*.py")
    )
    loaded = loaded_modules("\n".join(f"import {name.replace('.__init__', '')}" for name in modules))
    assert {"pyworkflow", "pwem", "tkinter"} & loaded == set()


def test_importing_the_plugin_loads_no_torch_and_no_core(tmp_path):
    if importlib.util.find_spec("pwem") is None:
        pytest.skip("needs scipion-em")
    code = (
        "from pupicker.tests.protocols import scipion_environment\n"
        "import pyworkflow\n"
        "domain = pyworkflow.Config.getDomain()\n"
        "assert 'ProtPuPickerPick' in domain.getProtocols()\n"
        "assert domain.getPlugins()['pupicker'].Plugin.validateInstallation() is not None"
    )
    loaded = loaded_modules(code)
    assert "pupicker.protocols.protocol_pick" in loaded
    assert "torch" not in loaded
    assert [name for name in loaded if name.startswith(tuple(f"pupicker.{layer}." for layer in CORE_LAYERS))] == []


@pytest.mark.parametrize(
    "command", ["evaluate --picks {} --truth {} --radius 5", "convert {} {}.star"], ids=lambda text: text.split()[0])
def test_commands_on_tables_load_no_torch(tmp_path, command):
    """Loading it takes longer than all that they do."""
    table = tmp_path / "picks.tsv"
    table.write_text("micrograph\tx\ty\tscore\nmic\t10\t20\t1.5\n")
    words = [word.replace("{}", str(table)) for word in command.split()]
    loaded = loaded_modules(f"from pupicker.commands.main import main\nassert main({words!r}) == 0")
    assert "torch" not in loaded


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
