"""One job of a task queue that hands over a JSON file and wants one back, as Magellon does.

    python examples/manifest_job.py job.json result.json

The job: ``{"id": 7, "micrographs": ["/data/a.mrc"], "model": "model.pupicker", "output": "/data/picks"}``; in place of
``model`` ``diameter`` in Å picks with the general model.  Other fields of the requests ``pick`` and ``suggest`` of
``pupicker serve`` (docs/serve.md) may follow.  The result has the particles of each micrograph, in pixels of its file,
with radius and score.  Exit code 0, 1 if nothing was picked: the reason is in the result, which is always written.
``--manifest`` prints what a scheduler asks of a plugin.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, cast

from pupicker.shared.atomic import write_text
from pupicker.shared.worker import Worker, WorkerError

MANIFEST = {"name": "pupicker", "category": "particle_picking", "input": "micrographs", "output": "particles",
            "requires": {"cpu_cores": 4, "memory_mb": 2048, "gpu_count": 0}, "typical_duration_s": 30,
            "health_check": ["pupicker", "--version"]}


def particles(answer: dict[str, Any], diameter_ang: float) -> list[dict[str, float]]:
    """Those of one micrograph, best first."""
    radius_px = round(diameter_ang / 2 / answer["pixel_size_ang"], 1)
    columns = zip(answer["x"], answer["y"], answer["score"], answer["probability"], strict=True)
    return [{"x": x, "y": y, "radius": radius_px, "score": score, "probability": probability}
            for x, y, score, probability in columns]


def run(job: dict[str, Any]) -> dict[str, Any]:
    """The result of a job; WorkerError or ValueError with one line if there is none."""
    if not isinstance(job, dict) or {"do", "coordinates"} & job.keys():
        raise ValueError('a job is an object, {"id": 7, "micrographs": [...], ...}, without do and coordinates')
    fields = {name: value for name, value in job.items() if name != "id" and value is not None}
    picked, failed, diameter_ang = {}, {}, cast(float, fields.get("diameter"))  # the request says if it is none

    def told(answer: dict[str, Any]) -> None:
        if answer["event"] == "micrograph":
            kept = {name: answer[name] for name in ("null_level", "seconds", "table")}
            picked[answer["micrograph"]] = {"particles": particles(answer, diameter_ang), **kept}
        elif answer["event"] == "quarantined":
            failed[answer["micrograph"]] = answer["reason"]

    with Worker(["pupicker", "serve", "--device", os.environ.get("PUPICKER_DEVICE", "auto")]) as worker:
        if diameter_ang is None and "model" in fields:  # without either the request says what is missing
            diameter_ang = worker.ask("info", file=fields["model"])["diameter_ang"]
        last = worker.ask("suggest" if "diameter" in fields else "pick", told, coordinates=True, **fields)
    return {"status": "completed" if picked else "failed", "micrographs": picked, "failed": failed,
            "warnings": last.get("warnings", [])}


def main() -> int:
    """Read the job, write the result."""
    if sys.argv[1:] == ["--manifest"]:
        sys.stdout.write(json.dumps(MANIFEST, indent=1) + "\n")
        return 0
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    job: Any = {}
    try:
        with open(sys.argv[1], encoding="utf-8") as stream:
            job = json.load(stream)
        result = run(job)
    except (OSError, ValueError, WorkerError) as error:
        result = {"status": "failed", "error": f"{sys.argv[1]}: {error}"}
    try:
        content = {"id": job.get("id") if isinstance(job, dict) else None, **result}
        write_text(sys.argv[2], json.dumps(content, indent=1))
    except OSError as error:
        sys.exit(f"{error.filename}: the result cannot be written ({error.strerror})")
    return 0 if result["status"] == "completed" else 1


if __name__ == "__main__":
    sys.exit(main())
