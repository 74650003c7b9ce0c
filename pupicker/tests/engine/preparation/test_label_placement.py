"""Labels in the wrong place are noticed from the images, with what mends them; right ones are left in peace."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pupicker.core.geometry import geometry
from pupicker.engine.files.coordinates import CoordinateTable, read_coordinates
from pupicker.engine.preparation.doubtful_labels import say_doubtful_rows
from pupicker.engine.preparation.general_witness import GeneralWitness, asked_of
from pupicker.engine.preparation.label_placement import BRIGHT, find_place, say_place
from pupicker.engine.preparation.label_places import Place
from pupicker.engine.preparation.working_micrograph import resample
from pupicker.engine.runtime.errors import InputError
from pupicker.tests.shared_data import shared

SETS = {
    "simulated": ("cases/mics", "cases/labels.tsv", 100.0),
    "apoferritin": ("data/empiar10146_apoferritin/mrc", "data/labels/empiar10146_apoferritin/all.tsv", 130.0),
}


@pytest.fixture(scope="module", params=SETS)
def labelled(request):
    """Micrographs, their labels, the lengths."""
    folder, labels, diameter_ang = SETS[request.param]
    paths = sorted(shared(folder).iterdir())[:4]
    table = read_coordinates(shared(labels), paths)
    table = table.select(np.isin(table.micrograph, [str(path) for path in paths]))
    lengths = geometry(diameter_ang, resample(paths[0], None, diameter_ang / 22).pixel_size_ang, 22)
    return [resample(path, None, lengths.working_pixel_size_ang) for path in paths], table, lengths


def test_right_labels_pass_and_wrong_ones_are_an_error(labelled, caplog):
    micrographs, table, lengths = labelled
    say_place(find_place(micrographs, table, lengths))
    say_doubtful_rows(micrographs, table, lengths)
    assert caplog.text == ""
    rows, columns = micrographs[0].shape
    away = 0.75 * lengths.diameter_ang / micrographs[0].pixel_size_ang
    for parameters, words, moved in (
        (("flip_y",), "mirrored in y", replace(table, y=rows - 1 - table.y)),
        (("flip_x",), "mirrored in x", replace(table, x=columns - 1 - table.x)),
        (("swap_xy",), "x and y swapped", replace(table, x=table.y, y=table.x)),
        (("scale",), "scaled by 4", replace(table, x=table.x / 4, y=table.y / 4)),
        ((), "corners of boxes", replace(table, x=table.x - away, y=table.y - away)),
    ):
        with pytest.raises(InputError, match=words) as caught:
            say_place(find_place(micrographs, moved, lengths))
        assert caught.value.parameters == (*parameters, "no_check_labels")


def test_places_at_random_and_inverted_contrast_are_a_warning(labelled, caplog):
    micrographs, table, lengths = labelled
    rows, columns = micrographs[0].shape
    random = np.random.default_rng(3)
    for _ in range(4):
        chance = replace(table, x=random.uniform(0, columns, len(table)), y=random.uniform(0, rows, len(table)))
        say_place(find_place(micrographs, chance, lengths))
    assert caplog.text.count("look like places at random") >= 3
    say_place(find_place([replace(m, pixels=-m.pixels) for m in micrographs], table, lengths))
    assert "is the contrast inverted?" in caplog.text


def test_doubled_labels_and_scores_of_nothing_are_a_warning(labelled, caplog):
    micrographs, table, lengths = labelled
    rows, columns = micrographs[0].shape
    say_doubtful_rows(micrographs, CoordinateTable.concatenate([table, replace(table, x=table.x + 0.1)]), lengths)
    assert f"{2 * len(table)} of {2 * len(table)} labels have another one" in caplog.text
    random = np.random.default_rng(4)
    chance = CoordinateTable(np.repeat(table.micrograph, 6), random.uniform(0, columns, 6 * len(table)),
                             random.uniform(0, rows, 6 * len(table)), random.uniform(-6, -1, 6 * len(table)))
    scored = replace(table, score=random.uniform(1, 3, len(table)))
    caplog.clear()
    say_doubtful_rows(micrographs, scored, lengths)
    assert "min_score" not in str([record.__dict__.get("parameters") for record in caplog.records])
    say_doubtful_rows(micrographs, CoordinateTable.concatenate([scored, chance]), lengths)
    (record,) = [r for r in caplog.records if r.__dict__.get("parameters") == ("min_score",)]
    assert f"of {7 * len(table)} labels have scores below" in record.getMessage()


def test_few_labels_of_low_contrast_are_told_by_the_general_model(labelled, caplog):
    """Blobs alone do not tell with so few; right ones are left in peace, and only told to be bright if they are."""
    micrographs, table, lengths = labelled
    rows = micrographs[0].shape[0]
    few = table.select(np.random.default_rng(2).permutation(len(table))[:20])
    mirrored = replace(few, y=rows - 1 - few.y)
    finding = find_place(micrographs, mirrored, lengths)
    assert finding.testimony is not None and finding.testimony.place_chance < 1e-3 < finding.testimony.chance
    with pytest.raises(InputError, match="mirrored in y they would be on particles") as caught:
        say_place(finding)
    assert caught.value.parameters == ("flip_y", "no_check_labels")
    say_place(find_place(micrographs, few, lengths))
    assert caplog.text == ""
    inverted = [replace(m, pixels=-m.pixels) for m in micrographs]
    found = find_place(inverted, few, lengths)
    assert found.bright == (found.agreement > BRIGHT) and not found.elsewhere
    say_place(found)
    assert "is the contrast inverted?" in caplog.text


def test_the_general_model_is_asked_at_the_size_it_knows(labelled):
    """Also where the network of the training works at another pixel size; only a few micrographs are looked at."""
    micrographs, table, lengths = labelled
    coarse = replace(lengths, working_pixel_size_ang=1.6 * lengths.working_pixel_size_ang)
    resampled = [resample(m.path, None, coarse.working_pixel_size_ang) for m in micrographs[:2]]
    witness = GeneralWitness(resampled, coarse)
    (chance,) = witness.chances([[Place().of(table, m) for m in resampled]])
    assert chance < 1e-10
    masked = [replace(m, contaminated=torch.arange(m.pixels.shape[1]).expand(m.pixels.shape) < 9) for m in resampled]
    (with_masks,) = GeneralWitness(masked, coarse).chances([[Place().of(table, m) for m in masked]])
    assert with_masks < 1e-8
    assert asked_of(micrographs, [60, 5, 70, 1]) == [0, 2] and asked_of(micrographs[:1], [3]) == [0]


def test_a_handful_is_too_little_to_tell(labelled):
    micrographs, table, lengths = labelled
    assert find_place(micrographs, table.select(np.arange(4)), lengths) is None
