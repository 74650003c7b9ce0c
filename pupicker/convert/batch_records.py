"""What the batches of a picking leave for the report at its end: one small JSON file each, side by side."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterable, List

import pyworkflow.utils as pwutils

from pupicker.convert.micrographs import linkName, micIdOf
from pupicker.shared.json_files import read_json, write_json

NOT_KEPT = ("command", "done", "quarantined", "picks", "without_mask")  # said elsewhere, or paths of links


def batchRecord(report: Dict[str, Any], mics: Iterable[Any], links: Iterable[str],
                earlier: Dict[str, Any]) -> Dict[str, Any]:
    """What the report at the end of a picking needs to know of a batch, whose links are removed.

    Micrographs that had to be converted have no source: their picks count, but they are not shown.  `earlier` is the
    record under the same name, of a batch that was interrupted: what it picked, and what is known of it, stays.
    """
    run = {key: value for key, value in report.items() if key not in NOT_KEPT}
    for key in ("borders_px", "masked_pixels", "excluded_share"):
        run[key] = dict(earlier.get("run", {}).get(key, {}),
                        **{linkName(micIdOf(path)): value for path, value in run.get(key, {}).items()})
    names = {linkName(mic.getObjId()): mic.getMicName() for mic in mics}
    sources = {linkName(micIdOf(link)): os.path.realpath(link) for link in links}
    return {"run": run, "names": dict(earlier.get("names", {}), **names),
            "sources": dict(earlier.get("sources", {}), **sources)}


def joinBatches(folder: str) -> Dict[str, Any]:
    """The records of all batches as one."""
    joined: Dict[str, Any] = {"run": {"borders_px": {}, "masked_pixels": {}}, "names": {}, "sources": {}}
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        if name.startswith("."):
            continue  # of a start that was ended while it wrote
        record = read_json(os.path.join(folder, name))
        for key, value in record.get("run", {}).items():
            if isinstance(value, dict):
                joined["run"].setdefault(key, {}).update(value)
            else:
                joined["run"][key] = value
        for key in ("names", "sources"):
            joined[key].update(record.get(key, {}))
    return joined


def setThreshold(folder: str, threshold: float) -> None:
    """Note in the records of all batches that the picks are now those of another threshold."""
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        record = {} if name.startswith(".") else read_json(os.path.join(folder, name))
        if "threshold" in record.get("run", {}):
            record["run"]["threshold"] = threshold
            write_json(os.path.join(folder, name), record)


def relink(sources: Dict[str, str], folder: str) -> List[str]:
    """Links to micrographs under the names that their tables have; a source that has gone gets no link, but stays."""
    links = []
    for stem, source in sorted(sources.items()):
        link = os.path.join(folder, stem + os.path.splitext(source)[1].lower())
        if os.path.exists(source):
            pwutils.createAbsLink(os.path.abspath(source), link)
        links.append(link)
    return links
