import json

import numpy as np

from pupicker.engine.files.coordinates import read_coordinates
from pupicker.tests.commands.command_line import run


def test_more_particles_mean_higher_probabilities(capsys, model_path, simulated, tmp_path):
    """Without a training: the network is the same, score and threshold are not."""
    told = run(capsys, "info", model_path, "--json")
    number = json.loads(told.out)["particles_per_micrograph"]
    many = tmp_path / "many.pupicker"
    result = run(capsys, "recalibrate", model_path, "--particles-per-micrograph", 2 * number, "--output", many,
                 "--json")
    assert result.code == 0 and json.loads(result.out)["particles_per_micrograph"] == 2 * number
    tables = {}
    for name, model in (("as it was", model_path), ("many", many)):
        picks = tmp_path / "picks.tsv"
        assert run(capsys, "pick", *simulated.unseen, "--model", model, "--output", picks, "--threads", 1,
                   "--threshold=-30").code == 0
        tables[name] = read_coordinates(picks)
    before, after = tables["as it was"], tables["many"]
    np.testing.assert_allclose(np.sort(before.x)[-5:], np.sort(after.x)[-5:], atol=0.01)
    assert after.probability.sum() > 1.3 * before.probability.sum()


def test_the_same_number_twice_is_the_same_file(capsys, model_path, tmp_path):
    told = json.loads(run(capsys, "info", model_path, "--json").out)
    source, written = model_path, []
    for name in ("once", "twice"):
        output = tmp_path / name
        assert run(capsys, "recalibrate", source, "--particles-per-micrograph",
                   repr(told["particles_per_micrograph"]), "--output", output).code == 0
        written.append(output.read_bytes())
        source = output
    assert written[0] == written[1]
    again = json.loads(run(capsys, "info", source, "--json").out)
    assert again["suggested_threshold"] == told["suggested_threshold"]


def test_what_cannot_be(capsys, model_path, tmp_path):
    output = tmp_path / "m.pupicker"
    error = run(capsys, "recalibrate", model_path, "--particles-per-micrograph", 1e6, "--output", output).error(2)
    assert "has only" in error and not output.exists()
    output.write_text("not a model")
    error = run(capsys, "recalibrate", model_path, "--particles-per-micrograph", 14, "--output", output).error(2)
    assert "is there and is no model" in error and output.read_text() == "not a model"
    output.unlink()
    error = run(capsys, "recalibrate", model_path, "--particles-per-micrograph", 5, "--output", output).error(2)
    assert "fewer than the 14 that are labelled" in error
    assert "no such model file" in run(capsys, "recalibrate", "nowhere.pupicker", "--particles-per-micrograph", 5,
                                       "--output", output).error(1)
