from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pupicker.core.geometry import geometry
from pupicker.engine.files.coordinates import CoordinateTable, read_coordinates
from pupicker.engine.files.micrographs import read_image, write_mrc
from pupicker.engine.preparation.exclusion import Exclusion
from pupicker.engine.runtime.errors import InputError
from pupicker.engine.runtime.run_report import Report
from pupicker.engine.training.dataset import (
    LabelledMicrograph,
    Sources,
    TrainingSet,
    load_training_set,
    split_validation,
)
from pupicker.tests.engine.blobs import MIXTURE
from pupicker.tests.simulated import DIAMETER_ANG, HEIGHT, PARTICLES, PIXEL_SIZE_ANG, WIDTH

LENGTHS = geometry(DIAMETER_ANG, PIXEL_SIZE_ANG, 22)


def load(paths, table, report=None):
    """The training set of these micrographs."""
    return load_training_set(Sources(paths, table), LENGTHS, 1, report or Report("train"))


def table_of(path, x, y):
    return CoordinateTable(np.full(len(x), str(path), dtype=object), np.array(x), np.array(y))


# ---- loading


def test_labels_are_in_working_pixels(simulated):
    """They lie on the same place of the resampled image, whatever its rounding to whole pixels."""
    path = simulated.labelled[0]
    truth = read_coordinates(simulated.truth, simulated.labelled)
    data = load(simulated.labelled, truth)
    assert [m.path for m in data.micrographs] == simulated.labelled and data.label_count == 3 * PARTICLES
    own = data.micrographs[0]
    height, width = own.image.shape
    assert own.pixels == height * width and own.image.dtype == torch.float32
    known = truth.of(str(path))
    order = np.lexsort((known.y, known.x))
    np.testing.assert_allclose(own.labels[:, 0].numpy(), known.x[order] * width / WIDTH, rtol=1e-12)
    np.testing.assert_allclose(own.labels[:, 1].numpy(), known.y[order] * height / HEIGHT, rtol=1e-12)


def test_repeated_labels_count_once(simulated):
    path = simulated.labelled[0]
    data = load([path], table_of(path, [100.0, 100.0, 200.0], [50.0, 50.0, 60.0]))
    assert data.label_count == 2


def test_labels_on_the_outermost_pixels_are_inside(simulated):
    path = simulated.labelled[0]
    data = load([path], table_of(path, [0.0, WIDTH - 1, -0.4, WIDTH - 0.6], [0.0, HEIGHT - 1, HEIGHT - 0.6, -0.4]))
    assert data.label_count == 4


def test_labels_keep_their_place_when_borders_are_cut_off(simulated, tmp_path, caplog):
    path, padded = simulated.labelled[0], tmp_path / "padded.mrc"
    write_mrc(padded, np.pad(read_image(path).pixels, ((12, 0), (30, 7))), PIXEL_SIZE_ANG)
    own = load([path], table_of(path, [100.5, 200.0], [50.0, 60.25])).micrographs[0]
    cut = load([padded], table_of(padded, [130.5, 230.0, 5.0], [62.0, 72.25, 100.0])).micrographs[0]
    torch.testing.assert_close(cut.labels, own.labels, rtol=0, atol=1e-9)
    torch.testing.assert_close(cut.image, own.image, rtol=0, atol=1e-5)
    assert "1 labelled particle on borders without an image is left out" in caplog.text


def test_negatives_are_kept_apart_from_particles(simulated, caplog):
    """In working pixels; what lies on a labelled particle is left out, and said."""
    path = simulated.labelled[0]
    picks, others = table_of(path, [100.0], [50.0]), table_of(path, [100.0, 200.0, 105.0], [55.0, 300.0, 50.0])
    data = load_training_set(Sources([path], picks, others), LENGTHS, 1, Report("train"))
    own = data.micrographs[0]
    assert data.negative_count == 1 and data.label_count == 1
    height, width = own.image.shape
    assert own.negatives.tolist() == [pytest.approx([200 * width / WIDTH, 300 * height / HEIGHT])]
    assert "2 negatives lie on labelled particles" in caplog.text
    assert data.digest != load([path], picks).digest
    with pytest.raises(InputError, match="the only negative cannot be used"):
        load_training_set(Sources([path], picks, picks), LENGTHS, 1, Report("train"))


def test_digest_depends_on_pixels_and_labels_only(simulated, tmp_path):
    path = simulated.labelled[0]
    copy, changed = tmp_path / "a.mrc", tmp_path / "b.mrc"
    copy.write_bytes(path.read_bytes())
    pixels = read_image(path).pixels.copy()
    pixels[7, 9] *= 1.5
    write_mrc(changed, pixels, PIXEL_SIZE_ANG)

    def digest(micrograph, x):
        return load([micrograph], table_of(micrograph, [x], [50.0])).digest

    assert digest(path, 100.0) == digest(copy, 100.0)
    assert len({digest(path, 100.0), digest(path, 101.0), digest(changed, 100.0)}) == 3


def test_unreadable_micrograph_is_quarantined_not_fatal(simulated, tmp_path):
    bad = tmp_path / "mic_0001.mrc"
    bad.write_bytes(b"nothing")
    report = Report("train")
    data = load([bad, *simulated.labelled[1:]], read_coordinates(simulated.labels, simulated.labelled[1:]), report)
    assert len(data.micrographs) == 2 and report.done == simulated.labelled[1:]
    assert [path for path, _ in report.quarantined] == [bad]


def test_scored_labels_on_an_unreadable_micrograph_are_said(simulated, tmp_path):
    bad = tmp_path / "a.mrc"
    bad.write_bytes(b"nothing")
    table = replace(table_of(bad, [1.0, 2.0], [1.0, 2.0]), score=np.array([1.0, 2.0]))
    with pytest.raises(InputError, match=r"none of the 2 picks belongs to one of the 2 micrographs that can be used"):
        load([bad, simulated.labelled[0]], table)


def test_labels_that_are_all_lost_are_said_to_be(simulated):
    """Not that they belong to no micrograph."""
    path = simulated.labelled[0]
    with pytest.raises(InputError, match=r"none of the 2 labelled particles can be used: each lies where nothing"):
        load_training_set(Sources([path], table_of(path, [3.0, 4.0], [5.0, 90.0]), check_labels=False,
                                  exclusion=Exclusion(margin_ang=60.0, contamination=False)), LENGTHS, 1,
                          Report("train"))


def test_labels_outside_are_told_by_their_range(simulated):
    path = simulated.labelled[0]
    with pytest.raises(InputError, match=rf"{WIDTH} x {HEIGHT} pixels, its labels go from x = -300 to 50, y = 5 to 90"):
        load([path], table_of(path, [-300.0, -200.0, 50.0], [5.0, 90.0, 30.0]))


def test_nothing_usable(tmp_path):
    bad = tmp_path / "a.mrc"
    bad.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"the only micrograph cannot be used.*a\.mrc"):
        load([bad], table_of(bad, [1.0], [1.0]))


# ---- holding out


def data_of(counts):
    micrographs = [
        LabelledMicrograph(Path(f"{i}.mrc"), torch.zeros((4, 4)), torch.zeros((n, 2), dtype=torch.float64))
        for i, n in enumerate(counts)
    ]
    return TrainingSet(micrographs, MIXTURE, "")


@given(
    counts=st.lists(st.integers(0, 12), min_size=1, max_size=12).filter(any),
    fraction=st.floats(0, 0.99), seed=st.integers(0, 2**31),
)
def test_split_never_leaves_training_or_validation_without_labels(counts, fraction, seed):
    split = split_validation(data_of(counts), fraction, seed)
    labelled = [i for i, n in enumerate(counts) if n]
    assert [len(hidden) for hidden in split.held_out] == counts
    held_out = sum(int(hidden.sum()) for hidden in split.held_out)
    seen = sum(int((~split.held_out[i]).sum()) for i in split.training)
    assert seen > 0
    if fraction == 0 or sum(counts) == 1:
        assert split.validation == [] and held_out == 0 and split.training == list(range(len(counts)))
        return
    assert held_out > 0
    assert held_out == sum(int(split.held_out[i].sum()) for i in split.validation)
    if len(labelled) > 1:
        assert set(split.training) | set(split.validation) == set(range(len(counts)))
        assert not set(split.training) & set(split.validation)
        assert all(split.held_out[i].all() for i in split.validation)
        # Enough, unless all but one micrograph are held out; and without one of them it would not be enough.
        assert held_out >= fraction * sum(counts) or len(split.validation) == len(labelled) - 1
        assert held_out - max(counts[i] for i in split.validation) < fraction * sum(counts)
    else:
        assert split.validation == labelled and split.training == list(range(len(counts)))


def test_split_depends_on_the_seed_alone():
    data = data_of([5] * 10)
    assert split_validation(data, 0.25, 3).validation == split_validation(data, 0.25, 3).validation
    assert len({tuple(split_validation(data, 0.25, seed).validation) for seed in range(10)}) > 5


# ---- digest


def test_the_digest_is_that_of_what_is_stored(simulated, tmp_path):
    """Of files and tables, so that it is the same where sums are added in another order, and names do not count."""
    paths = [tmp_path / "elsewhere" / path.name for path in simulated.labelled]
    paths[0].parent.mkdir()
    for path, source in zip(paths, simulated.labelled, strict=True):
        shutil.copy(source, path)
    table = read_coordinates(simulated.labels, simulated.labelled)
    moved = read_coordinates(simulated.labels, paths)
    reference = load(simulated.labelled, table).digest
    assert load(paths, moved.select(np.arange(len(moved))[::-1])).digest == reference
    assert load(simulated.labelled, table.select(np.arange(1, len(table)))).digest != reference
    pixels = read_image(paths[1]).pixels.copy()
    pixels[5, 5] += 1
    write_mrc(paths[1], pixels, PIXEL_SIZE_ANG)
    assert load(paths, moved).digest != reference


def test_the_digest_is_the_same_on_another_processor(simulated):
    code = ("import sys; from pathlib import Path; from pupicker.tests.engine.training.test_dataset import load;"
            "from pupicker.engine.files.coordinates import read_coordinates as read;"
            "paths = list(map(Path, sys.argv[2:])); print(load(paths, read(sys.argv[1], paths)).digest)")
    arguments = [sys.executable, "-c", code, str(simulated.labels), *map(str, simulated.labelled)]
    plain = subprocess.run(arguments, capture_output=True, text=True, check=True,
                           env={**os.environ, "ATEN_CPU_CAPABILITY": "default"}).stdout.strip()
    own = load(simulated.labelled, read_coordinates(simulated.labels, simulated.labelled)).digest
    assert plain == own and len(own) == 64
