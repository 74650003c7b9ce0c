"""``--margin``, ``--masks`` and ``--exclude-contamination`` of train and pick."""

from __future__ import annotations

import mrcfile
import numpy as np
import pytest

from pupicker.commands.main import build_parser
from pupicker.commands.pick import _identity
from pupicker.engine.files.coordinates import read_coordinates
from pupicker.engine.models.model_file import load_model
from pupicker.tests.commands.command_line import run
from pupicker.tests.simulated import HEIGHT, PIXEL_SIZE_ANG, WIDTH

ALL = ("--threshold=-50",)


def _mask(folder, micrograph, mask):
    folder.mkdir(exist_ok=True)
    with mrcfile.new(folder / micrograph.name) as file:
        file.set_data(mask.astype(np.float32))


def test_off_changes_nothing(pick, simulated, tmp_path):
    """A mask of nothing and a margin of nothing go the same way; neither changes a digit."""
    plain, off = tmp_path / "plain.tsv", tmp_path / "off.tsv"
    assert pick(simulated.unseen, plain, *ALL).code == 0
    _mask(tmp_path / "masks", simulated.unseen[0], np.zeros((HEIGHT, WIDTH)))
    result = pick(simulated.unseen, off, *ALL, "--margin", 0, "--masks", tmp_path / "masks",
                  "--no-exclude-contamination")
    assert result.code == 0
    assert "has no mask" in result.err
    assert plain.read_bytes() == off.read_bytes()


def test_clean_micrographs_stay_as_they_are_if_contamination_is_left_out(pick, simulated, tmp_path):
    plain, on = tmp_path / "plain.tsv", tmp_path / "on.tsv"
    pick(simulated.unseen, plain, *ALL)
    assert pick(simulated.unseen, on, *ALL, "--exclude-contamination").code == 0
    assert plain.read_bytes() == on.read_bytes()


def test_no_pick_lies_in_the_margin_or_the_mask(pick, simulated, tmp_path):
    mask = np.zeros((HEIGHT, WIDTH))
    mask[100:180] = 1
    _mask(tmp_path / "masks", simulated.unseen[0], mask)
    margin = 120.0
    result = pick(simulated.unseen[:1], tmp_path / "picks.tsv", *ALL, "--margin", margin, "--masks", tmp_path / "masks",
                  "--json")
    table = read_coordinates(tmp_path / "picks.tsv")
    assert len(table) > 5
    to_edge = np.minimum(np.minimum(table.x, WIDTH - 1 - table.x), np.minimum(table.y, HEIGHT - 1 - table.y))
    assert to_edge.min() * PIXEL_SIZE_ANG > margin - 2 * PIXEL_SIZE_ANG
    assert not ((table.y > 101) & (table.y < 178)).any()
    (share,) = result.json["excluded_share"].values()
    assert share == pytest.approx(1 - (1 - 40 / WIDTH) * (1 - 40 / HEIGHT - 80 / HEIGHT), abs=0.03)


def test_a_run_with_other_masks_does_not_go_on_with_the_picks_of_before(tmp_path):
    """What was picked before a run was killed is left as it is only where its masks are those of now."""
    given = [tmp_path / "a.mrc", tmp_path / "b.mrc"]
    args = build_parser().parse_args(["pick", *map(str, given), "--model", "m.pupicker", "--output", "picks", "--masks",
                                      str(tmp_path)])
    found = [_identity(args, given), _identity(args, given)]
    for name, size in (("a_mask.png", 3), ("a_mask.png", 4), ("other.png", 5)):
        (tmp_path / name).write_bytes(bytes(size))
        found.append(_identity(args, given))
    assert [found.index(one) for one in found] == [0, 0, 2, 3, 3]


def test_gold_is_not_picked(pick, simulated, tmp_path):
    with mrcfile.open(simulated.unseen[0]) as file:
        image = np.array(file.data)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    bead = (rows - 200) ** 2 + (columns - 160) ** 2 < 9**2
    image[bead] = image.min() * 0.2
    path = tmp_path / "gold.mrc"
    with mrcfile.new(path) as file:
        file.set_data(image)
        file.voxel_size = PIXEL_SIZE_ANG
    counts = []
    for option in ("--no-exclude-contamination", "--exclude-contamination"):
        pick([path], tmp_path / "picks.tsv", *ALL, option)
        table = read_coordinates(tmp_path / "picks.tsv")
        counts.append(int((np.hypot(table.x - 160, table.y - 200) < 12).sum()))
    assert counts[0] > 0
    assert counts[1] == 0


def test_the_model_keeps_what_training_left_out(train, capsys, simulated, tmp_path):
    assert train("--margin", 60, "--exclude-contamination").code == 0
    stored = load_model(tmp_path / "m.pupicker").exclusion
    assert stored["margin_ang"] == 60.0
    assert stored["contamination_depth"] >= 15.0
    positions = {}
    for name, more in (("as trained", ()), ("none", ("--margin", 0))):
        assert run(capsys, "pick", simulated.unseen[0], "--model", tmp_path / "m.pupicker", "--output",
                   tmp_path / "p.tsv", "--threads", 1, *ALL, *more).code == 0
        positions[name] = read_coordinates(tmp_path / "p.tsv").x.min() * PIXEL_SIZE_ANG
    assert positions["as trained"] > 60 - 2 * PIXEL_SIZE_ANG > positions["none"]


def test_off_trains_the_same_model(train, tmp_path):
    assert train("--no-exclude-contamination").code == 0
    first = load_model(tmp_path / "m.pupicker")
    assert first.exclusion is None
    assert "exclusion" not in first.header()
    assert train("--margin", 0).code == 0  # contamination is left out, but there is none
    second = load_model(tmp_path / "m.pupicker")
    assert second.exclusion["contamination"]
    for name, weight in first.network.state_dict().items():
        assert (weight == second.network.state_dict()[name]).all(), name


def test_wrong_use(pick, train, simulated, tmp_path):
    message = pick(simulated.unseen, tmp_path / "p.tsv", "--margin=-3").error(2)
    assert "the margin at the edges -3 Å must be from 0 to 10000 (--margin)" in message
    assert "no such folder (--masks)" in train("--masks", tmp_path / "nothing").error(1)
