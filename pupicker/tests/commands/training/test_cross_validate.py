"""Small grids on the simulated micrographs: 42 labels on three of them."""

from __future__ import annotations

import csv
import json
import shlex

import pytest

from pupicker.commands.main import build_parser
from pupicker.commands.parsing.grid import make_cells
from pupicker.commands.parsing.training_arguments import add_learning_arguments
from pupicker.tests.commands.command_line import run
from pupicker.tests.simulated import DIAMETER_ANG, TRAINING_OPTIONS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cross_validation")


@pytest.fixture
def cross_validate(capsys, simulated, folder):
    def call(*more, output=folder, micrographs=None, options=TRAINING_OPTIONS):
        return run(capsys, "cross-validate", *(micrographs or simulated.labelled), "--labels", simulated.labels,
                   "--diameter", DIAMETER_ANG, "--output", output, *options, "--no-refit", "--start", "random",
                   "--network", "conv31", "--folds", 2, *more)

    return call


GRID = ("--grid", "updates=1,100")
SMALL = ("--width", 8)  # where it does not matter what is learnt


@pytest.mark.slow
def test_more_updates_are_better_and_the_best_is_named(cross_validate, folder, simulated):
    result = cross_validate(*GRID, "--json", "--status", folder / "status.json")
    assert result.code == 0
    content = result.json
    few, many = content["cells"]
    assert [cell["values"] for cell in content["cells"]] == [{"updates": "1"}, {"updates": "100"}]
    assert many["average_precision"] > few["average_precision"] and many["recall"] > 0.5
    assert sorted(fold["labels"] for fold in many["folds"]) == [14, 28]
    assert content["best"] == "updates=100" and content["folds"] == 2
    assert json.loads((folder / "status.json").read_text())["done"] == 4
    command = shlex.split(content["command"])
    args = build_parser().parse_args(command[1:])
    assert (args.command, args.updates, args.refit, args.batch_size) == ("train", 100, False, 64)
    assert args.micrographs == list(map(str, simulated.labelled)) and str(args.output) == "model.pupicker"
    rows = list(csv.DictReader((folder / "table.tsv").open(), delimiter="\t"))
    assert [float(row["average_precision"]) for row in rows] == pytest.approx(
        [few["average_precision"], many["average_precision"]], abs=1e-4)
    stored = json.loads((folder / "table.json").read_text())
    assert stored == {name: content[name] for name in stored} and len(stored) == 6
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_done_is_not_done_again(cross_validate, tmp_path):
    """The new cell is trained, and one fold that is gone."""
    assert cross_validate(*SMALL, "--grid", "updates=1,2", output=tmp_path).code == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "folds").iterdir()}
    assert len(before) == 4
    first, *rest = sorted(before)
    first.unlink()
    result = cross_validate(*SMALL, "--grid", "updates=1,2,3", output=tmp_path)
    assert result.code == 0 and "train it with" in result.out and "updates=" in result.out
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "folds").iterdir()}
    assert len(after) == 6 and first in after and all(after[path] == before[path] for path in rest)


def test_a_failed_cell_does_not_stop_the_others(cross_validate):
    options = [option for option in TRAINING_OPTIONS if option not in ("--particles-per-micrograph", "14")]
    result = cross_validate("--grid", "particles-per-micrograph=100000,14", "--updates", "5", "--json", options=options)
    failed, good = result.json["cells"]
    assert result.code == 0 and "fit" in failed["failed"] and good["average_precision"] > 0
    assert "100000: failed and left out" in result.err
    alone = cross_validate("--grid", "particles-per-micrograph=100000", options=options).error(2)
    assert "--grid particles-per-micrograph=100000: " in alone and "fit" in alone and "(--diameter)" in alone


def test_axes_multiply_and_options_without_a_value_are_yes_or_no(cross_validate, tmp_path):
    result = cross_validate(*SMALL, "--grid", "keep-borders=yes,no", "--grid", "seed=1,2", "--updates", "5", "--json",
                            "--validation-fraction", "0", output=tmp_path)
    assert [cell["cell"] for cell in result.json["cells"]] == [
        "keep-borders=yes, seed=1", "keep-borders=yes, seed=2", "keep-borders=no, seed=1", "keep-borders=no, seed=2"]


@pytest.mark.parametrize("given", [[], ["--no-refit", "--ring-negatives", "--exclude-contamination", "--keep-borders"]])
@pytest.mark.parametrize(("name", "attribute", "meant"), [
    ("no-refit", "refit", {"yes": False, "no": True}), ("ring-negatives", "ring_negatives", {"yes": True, "no": False}),
    ("keep-borders", "keep_borders", {"yes": True, "no": False}),
    ("exclude-contamination", "exclude_contamination", {"yes": True, "no": False}),
    ("no-exclude-contamination", "exclude_contamination", {"yes": False, "no": True}),
])
def test_an_axis_takes_the_place_of_what_is_given(given, name, attribute, meant):
    line = ["mics", "--picks", "p.star", "--diameter", "100", *given]
    cells = make_cells([f"{name}=yes,no"], line, add_learning_arguments)
    assert {dict(cell.values)[name]: getattr(cell.args, attribute) for cell in cells} == meant
    again = [make_cells([], cell.line, add_learning_arguments)[0].args for cell in cells]
    assert again == [cell.args for cell in cells]


def test_fewer_labelled_micrographs_than_folds(cross_validate, tmp_path, simulated):
    result = cross_validate(*SMALL, "--folds", "9", "--updates", "5", "--json", output=tmp_path)
    assert result.json["folds"] == 3 and "3 folds" in result.err
    one = cross_validate("--updates", "5", output=tmp_path, micrographs=simulated.micrographs[2:])
    assert "two or more" in one.error(1)


@pytest.mark.parametrize(("axes", "words"), [
    (["updatez=1,2"], "no such option to vary; it has autoencoder, batch-size"), (["output=a,b"], "no such option"),
    (["help=yes"], "no such option"), (["updates=ten"], "the updates ten must be a whole number from 1 to 10000000"),
    (["updates="], "NAME=VALUE"), (["updates"], "NAME=VALUE"),
    (["updates=1,0"], "the updates 0 must be from 1 to 10000000"),
    (["objective=best"], "--grid objective=best: invalid choice"),
    (["updates=1", "updates=2"], "given twice"), (["no-refit=maybe"], "yes or no"),
    (["class-prior=0.1"], "--grid class-prior=0.1: not allowed with"), (["network=conv32"], "no network 'conv32'"),
    (["seed=1", "width=8,0"], "--grid width=0: the width 0 must be from 1 to 4096"),
])
def test_wrong_axes(cross_validate, tmp_path, axes, words):
    """The message names the axis, which the user typed, and not the option, which nobody typed."""
    message = cross_validate(*(text for axis in axes for text in ("--grid", axis)), output=tmp_path).error(2)
    assert words in message and "--grid " in message
    assert not any(f"--{axis.partition('=')[0]}" in message for axis in axes)


def test_what_is_no_axis_keeps_its_name(cross_validate, tmp_path):
    assert "(--seed)" in cross_validate("--grid", "updates=1,2", "--seed", "-1", output=tmp_path).error(2)
    both = cross_validate("--grid", "updates=1,2", "--pseudo-label-count", "5", output=tmp_path).error(2)
    assert "(--pseudo-label-count, --pseudo-labels)" in both and "--grid" not in both


def test_a_warning_is_said_once_for_all_folds(cross_validate, tmp_path):
    options = [option for option in TRAINING_OPTIONS if option not in ("--particles-per-micrograph", "14")]
    result = cross_validate(*SMALL, "--particles-per-micrograph", "300", "--grid", "updates=1,2", output=tmp_path,
                            options=options)
    assert result.code == 0 and len(list((tmp_path / "folds").iterdir())) == 4
    assert result.err.count("fit side by side") == 1


def test_wrong_folds_and_output(cross_validate, tmp_path):
    (tmp_path / "file").touch()
    assert "the folds 1 must be at least 2 (--folds)" in cross_validate("--folds", "1", output=tmp_path).error(2)
    assert "is a file" in cross_validate(output=tmp_path / "file").error(2)
    for option in ("--status", "--report"):
        message = cross_validate(option, tmp_path / "table.json", output=tmp_path).error(2)
        assert "table.json: is also --output; give another name" in message
