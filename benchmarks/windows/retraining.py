"""How long after the key *t* better suggestions stand in the window that labels, on real micrographs.

    python -m benchmarks.windows.retraining [--data FOLDER]

The window's own :class:`~pupicker.window.suggester.Suggester` and process, without the window: ten labels on two of
four micrographs are trained with, then five more on a third, and on the fourth.  Timed from the request to the
suggestions of the new model on the micrograph that is shown; the first training starts from the general model.
Results: results/retraining.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common.datasets import REAL, data_folder, load_set
from benchmarks.common.runs import RESULTS, hardware, pupicker_code
from pupicker.engine.files.coordinates import read_coordinates
from pupicker.shared.atomic import write_text
from pupicker.shared.worker import Worker
from pupicker.window.label_record import LabelRecord
from pupicker.window.suggester import LabelMicrograph, Suggester

EACH, TRAININGS = 5, 3
POLL_S, LONGEST_S = 0.02, 300.0


def until(suggester: Suggester, shown: str, trained: int) -> float:
    """Seconds until the suggestions of the model with that number stand there."""
    begin = time.monotonic()
    while suggester.trained < trained or shown not in suggester.known or not suggester.known[shown].score:
        suggester.poll(shown)
        if suggester.error or time.monotonic() - begin > LONGEST_S:
            raise SystemExit(f"no suggestions: {suggester.error or 'too long'}")
        time.sleep(POLL_S)
    return time.monotonic() - begin


def measured(name: str, data: Path) -> dict[str, Any]:
    """Seconds of the first suggestions, start of the process included, and after each training."""
    chosen = load_set(name, data)
    truth = read_coordinates(chosen.labels(250, 0))
    entries = [LabelMicrograph(file.stem, file.name, str(file), chosen.pixel_size_ang) for file in chosen.training]
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w", encoding="utf-8") as log, \
            Worker([sys.executable, "-m", "pupicker", "serve"], log=log) as worker:
        record = LabelRecord(str(Path(folder) / "labels.json"))
        record.setDiameter(chosen.diameter_ang)
        suggester = Suggester(worker, record, entries, folder, {})
        shown = entries[0].key
        found: dict[str, Any] = {"first_suggestions_s": round(until(suggester, shown, 0), 2), "trainings": []}
        for number in range(1, TRAININGS + 1):
            for one in entries[0 if number == 1 else number:number + 1]:
                own = truth.of(one.key)
                record.add(one.key, list(zip(own.x[:EACH].tolist(), own.y[:EACH].tolist(), strict=True)))
            suggester.train(now=True)
            found["trainings"].append({"labels": record.number(), "seconds": round(until(suggester, shown, number), 2)})
        suggester.close()
    return found


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data_folder(), metavar="FOLDER", help="of the data, see README.md")
    parser.add_argument("--output", type=Path, default=RESULTS / "retraining.json")
    args = parser.parse_args()
    result = {"sets": {name: measured(name, args.data) for name in REAL}, "load_average": os.getloadavg()[0],
              "machine": hardware(), "versions": {"pupicker": pupicker_code()}}
    write_text(args.output, json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["sets"]))


if __name__ == "__main__":
    main()
