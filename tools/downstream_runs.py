"""From picks to a structure in a Scipion project: thresholds, extraction, 2D classes and 3D refinement with RELION."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import numpy.typing as npt

from demo_project import DemoProject
from pupicker.core.scores.metrics import match_picks
from pupicker.engine.files.coordinate_table import CoordinateTable

Output = tuple[Any, str]  # a run and the name of its output
Key = tuple[int, int, int]  # micrograph id, x, y: by this a particle is known wherever it went
_EXTRA = "--random_seed {seed} --maxsig 100"  # so that a run can be repeated, and is quick on a processor


@dataclass(frozen=True)
class RelionSettings:
    """What RELION is told.

    Attributes
    ----------
    box_px
        Size of the extracted particles.
    mask_ang
        Diameter of the circular mask.
    symmetry
        Point group of the refinement.
    classes, iterations
        Of the 2D classification.
    class_resolution_ang
        Finest detail that assigns particles to 2D classes.
    lowpass_ang
        To which the reference of the refinement is blurred.
    """

    box_px: int
    mask_ang: int
    symmetry: str
    classes: int
    iterations: int
    class_resolution_ang: float
    lowpass_ang: float


def threshold_series(project: DemoProject, picks: Output, thresholds: Sequence[float]) -> dict[float, Output]:
    """Nested subsets of `picks`: those with at least each of the scores (left out where no pick reaches it)."""
    from pupicker.constants import CUT_SCORES
    from pupicker.protocols import ProtPuPickerThreshold

    run = project.run(ProtPuPickerThreshold, "thresholds", {"inputCoordinates": picks}, mode=CUT_SCORES,
                      scores=" ".join(map(repr, thresholds)))
    outputs = {f"outputCoordinates{number}": score
               for number, score in enumerate(sorted(thresholds, reverse=True), 1)}
    return {score: (run, name) for name, score in reversed(outputs.items()) if hasattr(run, name)}


def import_ctf(project: DemoProject, micrographs: Any, defocus_um: Mapping[str, float], table: Path) -> Output:
    """Import the defocus of each micrograph (by name, in µm), written to `table` as a set of CTFs of Scipion."""
    from pwem.objects import CTFModel, SetOfCTF
    from pwem.protocols import ProtImportCTF

    table.unlink(missing_ok=True)
    ctfs = SetOfCTF(filename=str(table))
    for micrograph in micrographs.outputMicrographs:
        defocus_ang = 1e4 * defocus_um[micrograph.getMicName()]
        ctf = CTFModel()
        ctf.setStandardDefocus(defocus_ang, defocus_ang, 0.0)
        ctf.setMicrograph(micrograph)
        ctf.setObjId(micrograph.getObjId())
        ctfs.append(ctf)
    ctfs.write()
    ctfs.close()
    run = project.run(ProtImportCTF, "import CTF", {"inputMicrographs": (micrographs, "outputMicrographs")},
                      importFrom=ProtImportCTF.IMPORT_FROM_SCIPION, filesPath=str(table), filesPattern="")
    return run, "outputCTF"


def import_reference(project: DemoProject, path: Path, pixel_size_ang: float) -> Output:
    """Import the map that refinements start from."""
    from pwem.protocols import ProtImportVolumes

    run = project.run(ProtImportVolumes, "import reference", filesPath=str(path), filesPattern="",
                      samplingRate=pixel_size_ang)
    return run, "outputVolume"


def extract(project: DemoProject, coordinates: Output, ctf: Output, name: str, settings: RelionSettings) -> Output:
    """Cut the particles out, white on black, normalised."""
    from relion.protocols import ProtRelionExtractParticles

    run = project.run(
        ProtRelionExtractParticles, f"extract, {name}", {"inputCoordinates": coordinates, "ctfRelations": ctf},
        boxSize=settings.box_px, doInvert=True, doNormalize=True, saveFloat16=False, numberOfMpi=1,
    )
    return run, "outputParticles"


def classify(project: DemoProject, particles: Output, name: str, settings: RelionSettings) -> Any:
    """2D classes."""
    from relion.protocols import ProtRelionClassify2D

    return project.run(
        ProtRelionClassify2D, f"2D classes, {name}", {"inputParticles": particles},
        numberOfClasses=settings.classes, numberOfIterations=settings.iterations, useGradientAlg=False, doGpu=False,
        maskDiameterA=settings.mask_ang, numberOfMpi=1, numberOfThreads=2, inplaneAngularSamplingDeg=12,
        offsetSearchRangePix=3, limitResolEStep=settings.class_resolution_ang, pooledParticles=30,
        extraParams=_EXTRA.format(seed=1),
    )


def refine(
    project: DemoProject, particles: Output, reference: Output, name: str, settings: RelionSettings, seed: int
) -> Any:
    """3D refinement of two independent halves, which are drawn with the seed."""
    from relion.protocols import ProtRelionRefine3D

    return project.run(
        ProtRelionRefine3D, f"refine, {name}", {"inputParticles": particles, "referenceVolume": reference},
        symmetryGroup=settings.symmetry, initialLowPassFilterA=settings.lowpass_ang, maskDiameterA=settings.mask_ang,
        doGpu=False, numberOfMpi=3, numberOfThreads=1, pooledParticles=30, allParticlesRam=True,
        angularSamplingDeg=1, localSearchAutoSamplingDeg=3, useFinerSamplingFaster=True, offsetSearchRangePix=3,
        extraParams=_EXTRA.format(seed=seed),
    )


def hits(coordinates: Any, truth: CoordinateTable, radius_px: float) -> dict[Key, bool]:
    """Which coordinates of a set are particles: each takes the nearest free one within the radius, best score first."""
    by_name: dict[str, list[tuple[Key, float]]] = {}
    for item in coordinates:
        score = item._pupickerScore.get() if hasattr(item, "_pupickerScore") else 0.0
        by_name.setdefault(item.getMicName(), []).append(((item.getMicId(), item.getX(), item.getY()), score))
    found: dict[Key, bool] = {}
    for name, picks in by_name.items():
        there = truth.of(name)
        keys = [key for key, _ in picks]
        taken = match_picks(np.array(keys, dtype=float)[:, 1:], np.array([score for _, score in picks]),
                            np.stack([there.x, there.y], axis=1), radius_px)
        found.update(zip(keys, (taken >= 0).tolist(), strict=True))
    return found


def key_of(particle: Any) -> Key:
    """The pick from which a particle was cut."""
    coordinate = particle.getCoordinate()
    return coordinate.getMicId(), coordinate.getX(), coordinate.getY()


def class_counts(classes: Any, hit: Mapping[Key, bool]) -> list[dict[str, int]]:
    """For each 2D class its particles and how many of them are false, the largest class first."""
    counts = []
    for group in classes.iterItems():
        false = sum(not hit[key_of(particle)] for particle in group.iterItems())
        counts.append({"class": group.getObjId(), "particles": group.getSize(), "false": false})
    return sorted(counts, key=lambda count: -count["particles"])


def class_averages(classes: Any, counts: Sequence[Mapping[str, int]]) -> list[npt.NDArray[np.float32]]:
    """Average image of each class, in the order of `counts`."""
    where = {group.getObjId(): group.getRepresentative().getLocation() for group in classes.iterItems()}
    images = []
    for count in counts:
        index, path = where[count["class"]]
        images.append(np.array(mrcfile.read(path)[index - 1], dtype=np.float32))
    return images
