"""Every writer on a full disk: the error names the file, the old one stays, nothing is left beside it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import pupicker
from pupicker.engine.cross_validation.table import Table
from pupicker.engine.evaluation.picks import write_matches
from pupicker.engine.files.coordinates import CoordinateTable, write_coordinates
from pupicker.engine.files.coordinates.formats import format_to_write
from pupicker.engine.files.coordinates.layout import Layout
from pupicker.engine.files.coordinates.relion_star import write_index
from pupicker.engine.files.micrographs import write_mrc
from pupicker.engine.models.checkpoint import save_checkpoint
from pupicker.engine.models.model_file import load_model, save_model
from pupicker.engine.preparation.preprocessing import _Waiting
from pupicker.engine.pretraining.examples import save_examples
from pupicker.engine.reports.html import HtmlReport
from pupicker.engine.reports.plots import plot_cross_validation
from pupicker.engine.runtime.errors import InputError
from pupicker.engine.runtime.run_report import Report
from pupicker.engine.training.status import TrainingStatus
from pupicker.shared.atomic import append_text, atomic_text, write_text
from pupicker.shared.counters import Counters
from pupicker.shared.json_files import write_json
from pupicker.shared.model_header import copy_with_card
from pupicker.simulation.dataset import _write_image
from pupicker.tests.full_disk import room_for
from pupicker.window.label_record import PARTICLES, LabelRecord

PACKAGE = Path(pupicker.__file__).resolve().parent
PIXELS = np.random.default_rng(1).normal(size=(64, 48)).astype(np.float32)
PICKS = CoordinateTable(np.repeat(["a.mrc", "b.mrc"], 20), np.arange(40.0), np.arange(40.0), np.linspace(3, 0, 40))
ONE = CoordinateTable(np.repeat(["a.mrc"], 20), np.arange(20.0), np.arange(20.0), np.linspace(3, 0, 20))
ROOM = 40


def table_of_cells():
    """A cross-validation of one cell, as far as a figure needs it."""
    return Table(["batch size 32"], [{"batch_size": "32"}], {}, {0: "failed"})


def waiting(path, memory_bytes=0):
    """A micrograph that waits in a file, whose name is chosen there."""
    _Waiting(path.parent, memory_bytes).put(path, torch.from_numpy(PIXELS))


def label_record(path):
    record = LabelRecord(str(path))
    record.add("a.mrc", [(1.0, 2.0)] * 20)
    record.save()


def label_table(path):
    record = LabelRecord("")
    record.add("a.mrc", [(1.0, 2.0)] * 20)
    record.writeTable(str(path), PARTICLES)


def stream(path):
    with atomic_text(path) as file:
        file.write("line\n" * 5000)


def matches(path):
    write_matches(path, SimpleNamespace(picks=PICKS, missed=ONE, hit=np.ones(40, bool)))


WRITERS: dict[str, dict[str, Callable[[Path], object]]] = {
    "shared/atomic.py": {"a.txt": lambda path: write_text(path, "text\n" * 20), "b.txt": stream},
    "shared/json_files.py": {"a.json": lambda path: write_json(path, {"key": "value" * 20})},
    "engine/runtime/run_report.py": {"a.json": lambda path: Report("pick").write(path)},
    "engine/files/mrc.py": {"a.mrc": lambda path: write_mrc(path, PIXELS, 6.0)},
    "engine/files/star.py": {"a.star": lambda path: write_coordinates(path, PICKS),
                             "i.star": lambda path: write_index(path, {"a.mrc": Path("a_autopick.star")})},
    "engine/files/coordinates/delimited.py": {name: (lambda path: write_coordinates(path, PICKS))
                                              for name in ("a.tsv", "a.csv", "a.txt")},
    "engine/files/coordinates/eman_box.py": {
        "a.box": lambda path: format_to_write(path).write(path, ONE, Layout(40))},
    "engine/files/coordinates/cryolo_cbox.py": {
        "a.cbox": lambda path: format_to_write(path).write(path, ONE, Layout(40))},
    "engine/files/coordinates/cryosparc.py": {
        "a.cs": lambda path: format_to_write(path).write(path, ONE, Layout(40, {"a.mrc": (64, 48)}))},
    "engine/evaluation/picks.py": {"m.tsv": matches},
    "engine/models/checkpoint.py": {
        "m.checkpoint": lambda path: save_checkpoint(path, {"a": torch.zeros(50)}, {"stage": "refit"})},
    "engine/preparation/preprocessing.py": {"0.npy": waiting},
    "engine/files/tensors.py": {
        "e.safetensors": lambda path: save_examples(path, [(torch.zeros(8, 8), torch.zeros(2, 2))], 3)},
    "engine/reports/html.py": {"r.html": lambda path: HtmlReport("title", "lead").write(path)},
    "engine/reports/plots.py": {name: (lambda path: plot_cross_validation(path, table_of_cells()))
                                for name in ("f.png", "f.svg")},
    "engine/training/status.py": {"s.json": lambda path: TrainingStatus(path)._write({"stage": "reading" * 9})},
    "simulation/dataset.py": {name: (lambda path: _write_image(path, PIXELS, 6.0)) for name in ("a.mrc", "a.tif")},
    "window/label_record.py": {"l.json": label_record, "l.tsv": label_table},
}
CASES = [(module, name) for module, files in WRITERS.items() for name in files]

ELSEWHERE = {
    "convert/corrections.py": "pupicker/tests/convert/test_corrections.py",
    "convert/labels.py": "streams of shared/atomic.py", "convert/micrographs.py": "streams of shared/atomic.py",
    "convert/picks.py": "streams of shared/atomic.py", "protocols/bases/picking_state.py": "append_text, below",
    "engine/picking/record.py": "append_text, below",
    "commands/launch.py": "pupicker/tests/commands/test_full_disk.py", "commands/serve.py": "standard output",
    "commands/main.py": "nowhere",
    "commands/label.py": "what a child says", "plugin/child_process.py": "what a child says",
    "protocols/protocol_label.py": "what a child says", "protocols/bases/served_picking.py": "an empty file",
    "shared/model_header.py": "a model that has no room, below",
    "protocols/forms/model.py": "streams of shared/atomic.py",
}


def assert_told(write, path):
    """Where there is no room the error is one line that names the file, and all is as before; then there is room."""
    write(path)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    with room_for(ROOM), pytest.raises((OSError, InputError)) as caught:
        write(path)
    error = caught.value
    assert str(path) in (str(error) if isinstance(error, InputError) else str(error.filename)), error
    assert "\n" not in str(error)
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before
    write(path)


@pytest.mark.parametrize(("module", "name"), CASES)
def test_a_writer_names_the_file_and_leaves_the_old_one(tmp_path, module, name):
    assert_told(WRITERS[module][name], tmp_path / name)


@pytest.mark.parametrize("name", ["a.prom", "b.json"])
def test_counters_that_have_no_room_are_said_and_stop_nothing(tmp_path, caplog, name):
    path = tmp_path / name
    counters = Counters([str(path)])
    counters.write()
    before = path.read_bytes()
    with room_for(ROOM):
        counters.write()
        counters.write()
    assert [str(path) in line for line in caplog.messages] == [True]
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    counters.write()


def test_a_model_that_has_no_room(tmp_path, model_path):
    model = load_model(model_path)
    assert_told(lambda path: save_model(path, model), tmp_path / "m.pupicker")
    (tmp_path / "library").mkdir()
    assert_told(lambda path: copy_with_card(model_path, path, {"name": "m"}), tmp_path / "library" / "m.pupicker")


def test_what_is_appended_names_the_file(tmp_path):
    with room_for(ROOM), pytest.raises(OSError) as caught:
        append_text(tmp_path / "a.txt", "x" * 100)
    assert caught.value.filename == str(tmp_path / "a.txt")


def test_every_module_that_writes_is_in_the_table():
    """Those that open files themselves; the others write with these."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        folder = path.relative_to(PACKAGE).as_posix()
        if folder.startswith("tests/"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and writes(node):
                found.add(folder)
    assert found - set(WRITERS) - set(ELSEWHERE) == set()
    assert set(ELSEWHERE) <= found


def writes(call):
    """Whether a call opens a file for writing, or makes one."""
    name = ast.unparse(call.func).split(".")[-1]
    if name in ("open", "fdopen"):
        modes = [node.value for node in [*call.args, *[word.value for word in call.keywords]]
                 if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        return any(mode in ("w", "wb", "a", "x") for mode in modes)
    return name in ("atomic_path", "atomic_text", "append_text") or ast.unparse(call.func) == "np.save"
