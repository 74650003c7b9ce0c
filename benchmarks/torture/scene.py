"""Files to torture with: simulated micrographs, labels, a small model; made anew each time, with one seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.torture.processes import NOTHING, Ended, command

DIAMETER_ANG, PIXEL_ANG = 160, 6
TRAINING = ("--diameter", DIAMETER_ANG, "--network", "conv31", "--width", 4, "--updates", 300, "--batch-size", 32,
            "--threads", 1, "--seed", 3, "--start", "random", "--particles-per-micrograph", 12, "--no-check-labels")


@dataclass(frozen=True)
class Scene:
    """Where the files are.

    Attributes
    ----------
    folder
        For everything that is made on the way.
    micrographs
        Files, of 300×333 pixels.
    labels, model
        Table of all particles; a model of two hundred updates.
    """

    folder: Path
    micrographs: list[Path]
    labels: Path
    model: Path

    @property
    def log(self) -> Path:
        """What the last command wrote."""
        return self.folder / "log.txt"

    def run(self, *words: object, stdin: Path = NOTHING) -> Ended:
        """A command, until it ends."""
        return command(words, self.log, stdin=stdin)

    def must(self, *words: object, stdin: Path = NOTHING) -> Ended:
        """A command that has to succeed."""
        ended = self.run(*words, stdin=stdin)
        if ended.code:
            raise SystemExit(f"pupicker {' '.join(map(str, words))} ended with {ended.code}:\n{ended.text}")
        return ended

    def train(self, model: Path, *more: object) -> tuple[object, ...]:
        """Words of a training."""
        return ("train", *self.micrographs[:3], "--picks", self.labels, *TRAINING, "--output", model, *more)


def made(folder: Path) -> Scene:
    """The files, in a new folder."""
    scene = Scene(folder, [folder / "mics" / f"mic_{number:04d}.mrc" for number in range(1, 7)],
                  folder / "labels.tsv", folder / "model.pupicker")
    scene.must("simulate", "--output", folder / "mics", "--micrographs", 6, "--width", 300, "--height", 333,
               "--pixel-size", PIXEL_ANG, "--particles", 12, "--diameter", DIAMETER_ANG, "--snr", 0.5, "--seed", 5)
    (folder / "mics" / "truth.tsv").rename(scene.labels)
    for other in folder.joinpath("mics").iterdir():
        if other not in scene.micrographs:
            other.unlink()
    scene.must(*scene.train(scene.model))
    return scene
