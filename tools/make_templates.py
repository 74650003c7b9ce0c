"""Writes the workflow templates of the plugin: ``python tools/make_templates.py``.

Each workflow is built as runs of a throw-away project, exported as Scipion exports it, and given fields that whoever
starts it fills in, ``~label|default|type|name on the command line~``.  So the templates follow the protocols: after a
change of their parameters this program is run again (a test compares what it writes with what is shipped).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo_project import set_up

FOLDER = Path(__file__).resolve().parents[1] / "pupicker" / "templates"
STRING, INTEGER, DECIMAL = 0, 3, 4  # numbers of pyworkflow's VarTypes that its templates know
# What belongs to the machine and the user that make the template, not to the workflow.
PERSONAL = ("useGpu", "gpuList", "hostName", "_useQueue", "_prerequisites", "_queueParams", "runName", "queueJobId")


@dataclass
class Workflow:
    """Runs of a workflow and the fields to be filled in.

    Attributes
    ----------
    project
        Where the runs are made.
    runs
        In the order of the workflow.
    fields
        (id of a run, parameter) -> field.
    """

    project: Any
    runs: list[Any] = field(default_factory=list)
    fields: dict[tuple[int, str], str] = field(default_factory=dict)

    def add(self, protocol_class: type, label: str, inputs: dict[str, tuple[Any, str]] | None = None,
            **settings: Any) -> Any:
        """Add a run; `inputs` maps parameters to (run, output)."""
        run = self.project.newProtocol(protocol_class, **settings)
        run.setObjLabel(label)
        for name, (source, output) in (inputs or {}).items():
            getattr(run, name).set(source)
            getattr(run, name).setExtended(output)
        self.project.saveProtocol(run)
        self.runs.append(run)
        return run

    def ask(self, run: Any, parameter: str, label: str, default: object, kind: int, name: str) -> None:
        """Make a parameter a field.  Scipion tells fields apart by their label, which must be unique."""
        text = f"~{label}|{default}|{kind}|{name}~"
        assert label not in {other.split("|")[0][1:] for other in self.fields.values()}, label
        self.fields[run.getObjId(), parameter] = text


def import_micrographs(flow: Workflow, **settings: Any) -> Any:
    """Micrographs from files, their pixel size asked for."""
    from pwem.protocols import ProtImportMicrographs

    run = flow.add(ProtImportMicrographs, "import micrographs", filesPattern="", samplingRateMode=0, voltage=300.0,
                   sphericalAberration=2.7, amplitudeContrast=0.1, **settings)
    flow.ask(run, "filesPath", "Micrographs (path with *)", "/path/to/micrographs/*.mrc", STRING, "micrographs")
    flow.ask(run, "samplingRate", "Pixel size of the micrographs (Å/px)", 1.0, DECIMAL, "pixelSize")
    flow.ask(run, "voltage", "Voltage of the microscope (kV)", 300.0, DECIMAL, "voltage")
    return run


def train_and_pick(flow: Workflow, micrographs: Any, **picking: Any) -> Any:
    """Labels from files, training, picking; returns the run that picks."""
    from pupicker.protocols import ProtPuPickerImportLabels, ProtPuPickerPick, ProtPuPickerTrain

    source = (micrographs, "outputMicrographs")
    labels = flow.add(ProtPuPickerImportLabels, "import labels", {"inputMicrographs": source})
    flow.ask(labels, "labelsPath", "Labelled particles (STAR, TSV, CSV, box; a file or a folder)",
             "/path/to/labels.star", STRING, "labels")
    train = flow.add(ProtPuPickerTrain, "train", {"inputCoordinates": (labels, "outputCoordinates")})
    flow.ask(train, "diameter", "Particle diameter (Å)", 150.0, DECIMAL, "diameter")
    return flow.add(ProtPuPickerPick, "pick", {"inputMicrographs": source, "inputModel": (train, "outputModel")},
                    **picking)


def import_reference(flow: Workflow) -> Any:
    """The volume that refinements start from."""
    from pwem.protocols import ProtImportVolumes

    run = flow.add(ProtImportVolumes, "import initial volume", filesPattern="")
    flow.ask(run, "filesPath", "Initial volume (file)", "/path/to/initial.mrc", STRING, "volume")
    flow.ask(run, "samplingRate", "Voxel size of the initial volume (Å)", 1.0, DECIMAL, "voxelSize")
    return run


def extract(flow: Workflow, coordinates: tuple[Any, str], title: str = "") -> tuple[Any, str]:
    """Extraction with RELION; returns the particles."""
    from relion.protocols import ProtRelionExtractParticles

    run = flow.add(ProtRelionExtractParticles, "extract" + title, {"inputCoordinates": coordinates}, doInvert=True)
    flow.ask(run, "boxSize", "Box size of the particles (px)" + title, 256, INTEGER, "particleBox")
    return run, "outputParticles"


def classify(flow: Workflow, particles: tuple[Any, str], title: str = "", suffix: str = "") -> Any:
    """2D classes of RELION."""
    from relion.protocols import ProtRelionClassify2D

    run = flow.add(ProtRelionClassify2D, "2D classes" + title, {"inputParticles": particles}, numberOfClasses=50,
                   doCTF=False, useGradientAlg=False)  # in RELION 3.1 and 4, and with MPI, which the form's default has
    flow.ask(run, "maskDiameterA", "Mask of the 2D classes (Å)" + title, 200, INTEGER, "mask" + suffix)
    return run


def extract_and_refine(flow: Workflow, coordinates: tuple[Any, str], reference: Any, name: str = "",
                       classes: bool = True) -> None:
    """Extraction, 2D classes if asked for, and 3D refinement with RELION."""
    from relion.protocols import ProtRelionRefine3D

    title = f" ({name})" if name else ""
    suffix = name.replace(" ", "")
    particles = extract(flow, coordinates, title)
    if classes:
        classify(flow, particles, title, suffix)
    refine = flow.add(ProtRelionRefine3D, "refine" + title,
                      {"inputParticles": particles, "referenceVolume": (reference, "outputVolume")}, doCTF=False,
                      numberOfMpi=3)
    flow.ask(refine, "maskDiameterA", "Mask of the refinement (Å)" + title, 200, INTEGER, "mask" + suffix)
    flow.ask(refine, "symmetryGroup", "Symmetry of the particle" + title, "C1", STRING, "symmetry")


def pick(flow: Workflow) -> None:
    """pupicker: train on labelled particles and pick.

    Imports micrographs and the particles labelled in some of them, trains and picks all micrographs.
    """
    train_and_pick(flow, import_micrographs(flow))


def pick_refine(flow: Workflow) -> None:
    """pupicker: train, pick, and go on to 2D classes and a 3D map with RELION.

    As 'pick', then extraction, 2D classification and 3D refinement from an initial volume. The CTF is not corrected:
    estimate it with a program of your choice, choose it in the extraction and switch it on in RELION's runs. From the
    command line, create it with --noschedule and start it in the project window.
    """
    picking = train_and_pick(flow, import_micrographs(flow))
    extract_and_refine(flow, (picking, "outputCoordinates"), import_reference(flow))


def streaming(flow: Workflow) -> None:
    """pupicker: pick micrographs while they are recorded, with a model that is there already.

    Imports micrographs as they arrive and a model file, and picks in streaming. It ends when no micrograph has arrived
    for the time given. From the command line, create it with --noschedule and start it in the project window.
    """
    from pupicker.protocols import ProtPuPickerImportModel, ProtPuPickerPick

    micrographs = import_micrographs(flow, dataStreaming=True)
    flow.ask(micrographs, "timeout", "End when nothing new came for (e.g. 12h, 30m, 90)", "12h", STRING, "timeout")
    model = flow.add(ProtPuPickerImportModel, "import model")
    flow.ask(model, "modelPath", "Model file", "/path/to/model.pupicker", STRING, "model")
    flow.add(ProtPuPickerPick, "pick", {"inputMicrographs": (micrographs, "outputMicrographs"),
                                        "inputModel": (model, "outputModel")})


def session(flow: Workflow) -> None:
    """pupicker: a session from its first micrograph on, with a model that learns on the way.

    Imports micrographs as they arrive and picks them at once, with the general model at first; the particles that you
    label meanwhile train the models that follow. Start the labelling when the first micrographs are there. From the
    command line, create it with --noschedule and start it in the project window.
    """
    from pupicker.protocols import ProtPuPickerLabel, ProtPuPickerLive

    micrographs = import_micrographs(flow, dataStreaming=True)
    flow.ask(micrographs, "timeout", "End when nothing new came for (e.g. 12h, 30m, 90)", "12h", STRING, "timeout")
    source = (micrographs, "outputMicrographs")
    labels = flow.add(ProtPuPickerLabel, "label", {"inputMicrographs": source})
    live = flow.add(ProtPuPickerLive, "live", {"inputMicrographs": source,
                                               "inputLabels": (labels, "outputCoordinates")})
    flow.ask(live, "diameter", "Particle diameter (Å)", 150.0, DECIMAL, "diameter")


def classes(flow: Workflow) -> None:
    """pupicker: pick without labels, choose good 2D classes, learn from their particles, and pick again.

    Picks with the general model, classifies the picks with RELION, takes the particles of the biggest classes as
    labels, trains on them and picks all micrographs with the model. To choose classes by eye, select them in the
    viewer of the 2D classes, give that subset to 'live' as good particles, and continue it: always look at them.
    The CTF is not corrected: estimate it with a program of your choice, choose it in the extraction and switch it
    on in the 2D classification. From the command line, create it with --noschedule and start it in the project
    window.
    """
    from pwem.protocols import ProtClassesSelector

    from pupicker.constants import BASELINE_GENERAL
    from pupicker.protocols import ProtPuPickerBaseline, ProtPuPickerLive

    source = (import_micrographs(flow), "outputMicrographs")
    first = flow.add(ProtPuPickerBaseline, "pick without labels", {"inputMicrographs": source},
                     method=BASELINE_GENERAL)  # at its threshold most picks are particles, as the biggest classes need
    flow.ask(first, "diameter", "Particle diameter (Å)", 150.0, DECIMAL, "diameter")
    found = classify(flow, extract(flow, (first, "outputCoordinates")))
    chosen = flow.add(ProtClassesSelector, "biggest classes", {"inputClasses": (found, "outputClasses")})
    flow.ask(chosen, "firstNElements", "Good particles: those of so many of the biggest 2D classes", 10, INTEGER,
             "goodClasses")
    live = flow.add(ProtPuPickerLive, "live", {"inputMicrographs": source, "inputParticles": (chosen, "output")})
    flow.ask(live, "diameter", "Particle diameter, again (Å)", 150.0, DECIMAL, "diameter")


def thresholds(flow: Workflow) -> None:
    """pupicker: which threshold gives the best map.

    Trains, picks generously, cuts the picks at three thresholds and refines the particles of each with RELION, from the
    same initial volume. The CTF is not corrected: choose one in the extractions and switch it on in the refinements.
    From the command line, create it with --noschedule and start it in the project window.
    """
    from pupicker.constants import CUT_SCORES, THRESHOLD_GIVEN
    from pupicker.protocols import ProtPuPickerThreshold

    picking = train_and_pick(flow, import_micrographs(flow), thresholdMode=THRESHOLD_GIVEN, threshold=-2.0)
    cut = flow.add(ProtPuPickerThreshold, "thresholds", {"inputCoordinates": (picking, "outputCoordinates")},
                   mode=CUT_SCORES)
    flow.ask(cut, "scores", "Three thresholds (scores)", "4 2 0", STRING, "scores")
    reference = import_reference(flow)
    for number, name in enumerate(("strict", "medium", "generous"), 1):
        extract_and_refine(flow, (cut, f"outputCoordinates{number}"), reference, name, classes=False)


WORKFLOWS: dict[str, Callable[[Workflow], None]] = {
    "pick": pick, "pick_refine": pick_refine, "streaming": streaming, "session": session,
    "classes": classes, "thresholds": thresholds,
}


def render(name: str, project: Any) -> str:
    """Text of one template: the description, then the runs as JSON."""
    flow = Workflow(project)
    WORKFLOWS[name](flow)
    project.getRunsGraph(refresh=True)
    runs = json.loads(project.getProtocolsJson(flow.runs))
    numbers = {run["object.id"]: str(number) for number, run in enumerate(runs, 1)}

    def renumbered(value: Any) -> Any:
        """A pointer with the number of its run in this template instead of that in the project."""
        run, dot, output = value.partition(".") if isinstance(value, str) else ("", "", "")
        return f"{numbers[run]}.{output}" if dot and run in numbers and not output[:1].isdigit() else value

    for run in runs:
        identity = int(run["object.id"])
        for key in PERSONAL:
            run.pop(key, None)
        for key, value in run.items():
            run[key] = flow.fields.get((identity, key)) or renumbered(value)
        run["object.id"] = numbers[str(identity)]
    body = json.dumps(runs, indent=4, ensure_ascii=False).replace("%", "%%")  # Scipion puts in variables by "%"
    lines = [line.strip() for line in (WORKFLOWS[name].__doc__ or "").strip().splitlines()]
    return "\n".join([" ".join(filter(None, lines)), body, ""])


def main() -> int:
    """Write the templates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder to write (default: pupicker/templates)")
    folder = parser.parse_args().output.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        os.environ.pop("RELION_HOME", None)  # RELION's forms follow the version that is set here
        set_up(Path(work))
        from pyworkflow.config import Config
        from pyworkflow.project import Manager

        Config.getDomain().getProtocols()
        before = os.getcwd()
        for name in WORKFLOWS:
            project = Manager().createProject("template_" + name)
            text = render(name, project)
            project.closeMapper()
            os.chdir(before)
            (folder / f"{name}.json.template").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
