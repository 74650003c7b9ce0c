"""Models that a run trains while it picks: version 0 is the one that it begins with."""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List, Set

from pupicker.convert.micrographs import linkName
from pupicker.shared.atomic import write_text
from pupicker.shared.choices import MODEL_SUFFIX
from pupicker.shared.columns import POSITION
from pupicker.shared.digests import digest_of
from pupicker.shared.json_files import read_json, write_json
from pupicker.shared.plurals import counted

FEWEST = 10
"""New labels that are worth a training when no more will come."""


def labelRows(points: Dict[int, Any]) -> Set[str]:
    """Labels, each as its line in a table."""
    return {"%s\t%.3f\t%.3f" % (linkName(micId), x, y) for micId, some in points.items() for x, y, *_ in some}


def chosenMicrographs(rows: Set[str], most: int) -> List[str]:
    """Names of at most so many micrographs that have labels, evenly spaced among them."""
    names = sorted({row.split("\t")[0] for row in rows})
    number = min(most, len(names))
    return [names[k * len(names) // number] for k in range(number)]


class Versions:
    """A folder with one folder for each version, and a record of what became of them.

    Parameters
    ----------
    folder
        Of the run; relative to the project's.

    Attributes
    ----------
    used
        The newest version that picks.
    shown
        The version whose picks are in the output.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        record = read_json(self.path(None, "versions.json"))
        self._versions: Dict[str, Dict[str, Any]] = record.get("versions", {})
        self._failure: Dict[str, str] = record.get("failure", {})
        self.shown = int(record.get("shown", 0))
        self.used = max([0] + [int(key) for key in self._versions if os.path.exists(self.modelPath(int(key)))])

    # ------------------------- files -------------------------
    def path(self, version: Any, name: str) -> str:
        """A file of a version; None: of all."""
        return os.path.join(self._folder, *([] if version is None else ["version_%d" % version]), name)

    def modelPath(self, version: int) -> str:
        return self.path(version, "model" + MODEL_SUFFIX)

    def report(self, version: int) -> Dict[str, Any]:
        """What training said of its model."""
        return read_json(self.path(version, "train.json"))

    def change(self, version: int) -> Dict[str, Any]:
        """How its picks differ from those before; empty if that is not known."""
        return read_json(self.path(version, "change.json"))

    # ------------------------- labels -------------------------
    def labels(self, version: int) -> Set[str]:
        """What it was trained with."""
        path = self.path(version, "labels.tsv")
        if not version or not os.path.exists(path):
            return set()
        with open(path, encoding="utf-8") as stream:
            return set(stream.read().splitlines()[1:])

    def writeLabels(self, version: int, rows: Set[str]) -> None:
        """Write the table of labels of a version that is to be trained."""
        write_text(self.path(version, "labels.tsv"), "\n".join(["\t".join(POSITION), *sorted(rows)]) + "\n")

    def enough(self, rows: Set[str], fewest: int, last: bool) -> bool:
        """Whether a new version can be trained: so many labels are new, or :data:`FEWEST`, if these are the last."""
        new = len(rows - self.labels(self.used))
        needed = min(fewest, FEWEST) if last else fewest
        return new >= needed and self._failure.get("labels") != digest_of(sorted(rows))

    # ------------------------- what becomes of them -------------------------
    def takeUp(self, version: int, labels: int) -> None:
        """From now on it picks."""
        self._versions[str(version)] = {"labels": labels, "time": time.time()}
        self._failure, self.used = {}, version
        self._write()

    def show(self, micrographs: int) -> None:
        """The picks of the version in use are in the output, in place of those of so many micrographs."""
        self.shown = self.used
        if self.used:
            self._versions[str(self.used)]["micrographs"] = micrographs
        self._write()

    def fail(self, rows: Set[str], error: str) -> None:
        """A training failed; it is not tried again with the same labels."""
        self._failure = {"labels": digest_of(sorted(rows)), "error": error}
        self._write()

    def _write(self) -> None:
        write_json(self.path(None, "versions.json"),
                   {"versions": self._versions, "failure": self._failure, "shown": self.shown})

    # ------------------------- words -------------------------
    def summary(self) -> List[str]:
        """A line for each version that was trained: with what, and what it changed."""
        lines = []
        for version in sorted(map(int, self._versions)):
            entry, change = self._versions[str(version)], self.change(version)
            line = "*Version %d*: %s, %s" % (version, counted(entry["labels"], "label"),
                                             time.strftime("%H:%M", time.localtime(entry["time"])))
            number = entry.get("micrographs", 0)
            if change and number:
                before, after = change["picks"]
                line += ("; picks of %s: %0.1f a micrograph before, %0.1f now; %0.0f %% of those before "
                         "stay, %0.0f %% of those now are new"
                         % (counted(number, "micrograph"), before / number, after / number,
                            100 * change["shared"][0] / max(1, before),
                            100 - 100 * change["shared"][1] / max(1, after)))
            lines.append(line)
        if self._failure:
            lines.append("*A training failed*: %s. It is tried again when there are other labels."
                         % self._failure["error"].rstrip("."))
        return lines
