"""What a Python program imports: the functions of docs/python.md, and nothing heavy before they are used."""

from __future__ import annotations

import math
import re
import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

import pupicker
from pupicker.engine.runtime.errors import UsageError
from pupicker.engine.training.optimisation import FittingOptions
from pupicker.tests.commands.command_line import run
from pupicker.tests.simulated import HEIGHT, WIDTH
from pupicker.tests.test_layers import loaded_modules

PAGE = Path(pupicker.__file__).resolve().parents[1] / "docs" / "python.md"


def test_importing_the_package_loads_nothing_heavy():
    loaded = loaded_modules("import pupicker\nassert 'pick' in dir(pupicker)")
    assert {"torch", "numpy", "pyworkflow", "pwem"} & loaded == set()
    assert [name for name in loaded if name.startswith("pupicker.")] == []


def test_what_is_promised_is_there():
    for name in pupicker.__all__:
        assert getattr(pupicker, name) is not None and name in dir(pupicker)
    with pytest.raises(AttributeError, match="no attribute 'pic'"):
        pupicker.pic  # noqa: B018


@pytest.mark.skipif(not PAGE.is_file(), reason="needs the repository: docs is not beside the package")
def test_the_page_tells_of_all_that_is_there():
    page = PAGE.read_text(encoding="utf-8")
    code = r"^```python\n(.*?)^```"
    used = set(re.findall(r"pupicker\.(\w+)", " ".join(re.findall(code, page, re.MULTILINE | re.DOTALL))))
    prose = re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL)
    told = {name for text in re.findall(r"`([^`]+)`", prose) for name in re.findall(r"\w+", text)}
    assert used - set(pupicker.__all__) == set()
    assert set(pupicker.__all__) - told - used == set()


def test_evaluation_and_candidates_are_those_of_the_command_line(simulated, model_path, tmp_path, capsys):
    options = pupicker.PickingOptions(threshold=-50)
    picks = pupicker.pick(simulated.unseen, model_path, options, device="cpu", threads=1)
    pupicker.write_coordinates(tmp_path / "p.tsv", picks.table)
    truth = pupicker.read_coordinates(simulated.truth)
    names = [path.name for path in simulated.unseen]
    found = pupicker.evaluate(picks.table, truth, 13, names)
    said = run(capsys, "evaluate", "--picks", tmp_path / "p.tsv", "--truth", simulated.truth, "--radius", 13,
               "--micrographs", *names, "--json").json
    assert found.curve.average_precision == pytest.approx(said["average_precision"], abs=1e-4)
    assert len(found.hit) == len(picks.table) == said["picks"] > 0
    assert len(found.missed) == said["truth"] - int(found.hit.sum())
    more = pupicker.pick(simulated.unseen, model_path, pupicker.PickingOptions(threshold=-1e9), device="cpu", threads=1)
    assert len(more.table) == len(picks.table), "nothing scores below -50"


def test_a_micrograph_is_read_as_picking_reads_it(simulated):
    image = pupicker.read_micrograph(simulated.micrographs[0])
    assert image.pixels.shape == (HEIGHT, WIDTH) and image.pixels.dtype == np.float32 and image.invalid is None
    with pytest.raises(pupicker.PuPickerError, match=r"none\.mrc"):
        pupicker.read_micrograph("none.mrc")


def test_picks_are_those_of_the_command_line(simulated, model_path, tmp_path, capsys):
    bad = tmp_path / "bad.mrc"
    bad.write_text("no image")
    picks = pupicker.pick([*simulated.unseen, bad], model_path, device="cpu", threads=1)
    assert capsys.readouterr() == ("", "")
    assert picks.micrographs == simulated.unseen and [path for path, _ in picks.quarantined] == [bad]
    result = run(capsys, "pick", *simulated.unseen, "--model", model_path, "--output", tmp_path / "p.tsv", "--device",
                 "cpu", "--threads", 1, "--json")
    table = pupicker.read_coordinates(tmp_path / "p.tsv")
    assert len(table) == len(picks.table) > 0
    np.testing.assert_allclose(picks.table.x, table.x, atol=1e-2)
    assert result.json["threshold"] == picks.threshold and result.json["preparation"] == picks.report["preparation"]


@pytest.mark.parametrize(("values", "words"), [
    ({"threshold": math.nan}, "the threshold nan must be a finite number"), ({"threshold": math.inf}, "finite"),
    ({"min_distance_ang": 0.0}, "the minimum distance 0 Å must be above 0"),
    ({"min_distance_ang": 1e9}, "at most 10000"),
    ({"pixel_size_ang": -1.0}, "the pixel size -1 Å must be above 0"),
])
def test_options_that_cannot_be(values, words):
    with pytest.raises(UsageError, match=words):
        pupicker.PickingOptions(**values)


@pytest.mark.parametrize("threads", [-1, 100000])
def test_threads_that_cannot_be(tmp_path, threads):
    """Said before any file is looked for."""
    words = f"the threads {threads} must be from 0 to 512"
    with pytest.raises(UsageError, match=words):
        pupicker.pick(tmp_path / "none", tmp_path / "none.pupicker", device="cpu", threads=threads)
    with pytest.raises(UsageError, match=words):
        pupicker.train(tmp_path / "none", tmp_path / "none.star", 160, device="cpu", threads=threads)


def rows_of(page, name):
    """Cells of the table under the heading with a name."""
    table = page.split(f"\n### {name}\n")[1].split("\n#")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()
            if line.startswith("| `")]
    return {cells[0].strip("`"): cells[1:] for cells in rows}


@pytest.mark.skipif(not PAGE.is_file(), reason="needs the repository: docs is not beside the package")
@pytest.mark.parametrize("kind", [pupicker.TrainingOptions, FittingOptions, pupicker.PickingOptions])
def test_the_page_lists_every_field_with_unit_and_default(kind):
    rows, values = rows_of(PAGE.read_text(encoding="utf-8"), kind.__name__), kind()
    assert list(rows) == [field.name for field in fields(kind)]
    for name, (unit, default, *_) in rows.items():
        value = getattr(values, name)
        shown = "FittingOptions()" if isinstance(value, FittingOptions) else repr(value)
        assert default.split(":")[0] == f"`{shown}`", name
        assert (unit == "Å") is name.endswith("_ang"), name


@pytest.mark.slow
@pytest.mark.skipif(not PAGE.is_file(), reason="needs the repository: docs is not beside the package")
def test_the_example_runs_as_it_stands(simulated, tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for folder, paths in (("labelled", simulated.labelled), ("micrographs", simulated.unseen)):
        (tmp_path / folder).mkdir()
        for path in paths:
            shutil.copy(path, tmp_path / folder)
    shutil.copy(simulated.labels, tmp_path / "labels.star")
    shutil.copy(simulated.truth, tmp_path / "truth.star")
    (tmp_path / "micrographs" / "bad.mrc").write_text("no image")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(PAGE), "exec"), {"__name__": "example"})
    out = capsys.readouterr().out
    assert "suggested threshold: " in out and "not used: bad.mrc" in out and " picks in picks.star" in out
    assert "average precision: " in out
    assert 5 < len(pupicker.read_coordinates("picks.star")) < 60
