"""What a batch of a picking leaves for the report."""

from __future__ import annotations

from types import SimpleNamespace

from pupicker.tests.scipion import scipion_environment  # noqa: F401  (before pyworkflow is imported)

from pupicker.convert.batch_records import batchRecord  # isort: skip
from pupicker.convert.micrographs import linkName  # isort: skip


def mic(number):
    return SimpleNamespace(getObjId=lambda: number, getMicName=lambda: f"name {number}")


def test_what_an_interrupted_batch_knew_of_other_micrographs_stays():
    reports = [{"picks": 3, "threshold": threshold, "borders_px": {linkName(number) + ".mrc": 6 + number},
                "masked_pixels": {}, "excluded_share": {linkName(number) + ".mrc": 0.5 * number}}
               for number, threshold in ((2, 1.0), (1, 3.0))]
    first = batchRecord(reports[0], [mic(1), mic(2)], [linkName(2) + ".mrc"], {})
    record = batchRecord(reports[1], [mic(1)], [linkName(1) + ".mrc"], first)
    assert record["run"] == {"threshold": 3.0, "borders_px": {"mic000001": 7, "mic000002": 8}, "masked_pixels": {},
                             "excluded_share": {"mic000001": 0.5, "mic000002": 1.0}}
    assert sorted(record["names"]) == sorted(record["sources"]) == ["mic000001", "mic000002"]
