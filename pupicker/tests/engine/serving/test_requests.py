from __future__ import annotations

import json
from pathlib import Path

import pytest

import pupicker
from pupicker.engine.serving.requests import REQUESTS, Refused, read_request, schema
from pupicker.shared import options

PAGE = Path(pupicker.__file__).resolve().parents[1] / "docs" / "serve.md"


def line(**content):
    return json.dumps(content)


@pytest.mark.parametrize(("text", "message"), [
    ("", "no JSON"), ("{", "no JSON"), ('{"do": NaN}', "NaN is no number"), ("[" * 100_000, "no JSON"),
    ("[1]", "a request is an object, not"), ("{}", "do must be one of pick"), (line(do=["pick"]), "do must be one of"),
    (line(do="pick", micrographs=["a"], protocol=2), "protocol 2 is asked for, this process speaks 1"),
    (line(do="pick", id=[1]), "id must be a text or a number"), (line(do="pick"), "pick needs micrographs"),
    (line(do="pick", micrographs="a.mrc"), "micrographs must be a list of texts"),
    (line(do="pick", micrographs=[]), "not an empty one"), (line(do="pick", micrographs=["a", 1]), "a list of texts"),
    (line(do="pick", micrographs=["a"], treshold=1), "pick has no field treshold; it has micrographs, model"),
    (line(do="pick", micrographs=["a"], threshold="low"), "threshold must be a finite number, not \"low\""),
    (line(do="pick", micrographs=["a"], threshold=True), "threshold must be a finite number, not true"),
    (line(do="pick", micrographs=["a"], min_distance=-1), "the minimum distance -1 Å must be"),
    (line(do="suggest", micrographs=["a"]), "suggest needs diameter"),
    (line(do="suggest", micrographs=["a"], diameter=0), "the particle diameter 0 Å must be above 0"),
    (line(do="train", micrographs=["a"], diameter=100, output="m", updates=1.5), "updates must be a whole number"),
    (line(do="train", micrographs=["a"], diameter=100, output="m", labels={"a": [[1]]}), "labels must be the name of"),
    (line(do="train", micrographs=["a"], diameter=100, output="m", network=3), "network must be a text"),
    (line(do="pick", micrographs=["a"], threshold=10**400), "threshold must be a finite number"),
    (line(do="info", id=-10**400), "id must be a text or a number"),
    (line(do="pick", micrographs=["a\0b"]), "micrographs must be a list of texts"),
    (line(do="pick", micrographs=["a"], output="o\0"), "output must be a text that can be a name"),
    (line(do="pick", micrographs=["a"], format="pdf"), "format must be one of star, tsv"),
    (line(do="pick", micrographs=["a"], format="../a.tsv"), "format must be one of star, tsv"),
    (line(do="score", places={"a": [[1, 2], [3, None]]}), "places must be an object of places"),
    (line(do="cancel"), "cancel needs request"), (line(do="stop", now=True), "stop has no field now; it has none"),
])
def test_what_is_no_request_is_said(text, message):
    with pytest.raises(Refused) as refused:
        read_request(text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_refused_request_is_known_by_its_id():
    with pytest.raises(Refused) as refused:
        read_request(line(do="pick", id="mine", micrographs=["a"], seed=3))
    assert refused.value.id == "mine"


def test_what_is_left_out_has_its_default():
    request = read_request(line(do="train", id=7, micrographs=["a"], output="m", diameter=100, labels=None,
                                autoencoder="auto", protocol=1))
    assert (request.id, request.do) == (7, "train")
    assert {name for name, _ in request.values.items()} == {field.name for field in REQUESTS["train"].fields}
    assert request.values["autoencoder"] == "auto" and request.values["batch_size"] == options.BATCH_SIZE.default
    assert request.values["labels"] is None


def test_whole_numbers_may_be_written_with_a_point():
    request = read_request(line(do="train", micrographs=["a"], output="m", diameter=100, batch_size=256.0))
    assert type(request.values["batch_size"]) is int


def test_a_training_takes_every_option_of_the_command():
    assert {option.name for option in options.TRAINING} < {field.name for field in REQUESTS["train"].fields}


def test_the_schema_is_json_and_the_page_names_every_field():
    content = json.loads(json.dumps(schema()))
    assert set(content["requests"]) == set(REQUESTS)
    if not PAGE.is_file():
        pytest.skip("needs the repository: docs is not beside the package")
    rows = {row.split("|")[1].strip(): row for row in PAGE.read_text(encoding="utf-8").splitlines()
            if row.startswith("| `")}
    shared = rows["`pick`"]
    for name, kind in REQUESTS.items():
        row = rows[f"`{name}`"] + (shared if name == "suggest" else "")
        assert [field.name for field in kind.fields if f"`{field.name}`" not in row] == []
