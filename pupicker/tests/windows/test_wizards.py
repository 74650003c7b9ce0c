"""Wizards of real forms on a virtual screen: what the user does in them arrives in the form."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from unittest import mock

import pytest

from pupicker.tests.protocols.test_threshold import complete
from pupicker.tests.scipion.screen import assert_shows_something, need_screen, pictures_folder, run_on_screen
from pupicker.tests.scipion.workflow import HEIGHT, PIXEL_SIZE, WIDTH, WorkflowTestCase

from pupicker import Plugin  # isort: skip
from pupicker.plugin.child_process import ChildProcess  # isort: skip
from pupicker.constants import EXCLUSION_GIVEN  # isort: skip
from pupicker.objects import PuPickerModel  # isort: skip
from pupicker.protocols import ProtPuPickerImportModel, ProtPuPickerPick  # isort: skip
from pupicker.shared.model_header import copy_with_card  # isort: skip
from pupicker.wizards.wizard_detection import startPicking  # isort: skip

BOX = 44
LABELS = (6, 12, 3)


class TestPreviewProcess(WorkflowTestCase):
    """How the preview picks, without a window."""

    NAMES = ["mic1.mrc"]

    def start(self, **values):
        """Command line and GPU of the preview of the first micrograph."""
        run = self.newProtocol(ProtPuPickerPick, **values)
        self.link(run.inputMicrographs, self.mics, "outputMicrographs")
        run.inputModel.set(PuPickerModel("some.pupicker"))
        with mock.patch.object(ChildProcess, "start") as start:
            process = startPicking(run, self.mics.outputMicrographs.getFirstItem(), 0.0, -6.0)
            self.addCleanup(process.close)
        (command, arguments), options = start.call_args
        self.assertEqual(command, "pick")
        return list(map(str, arguments)), options["gpu"]

    def testGpuOnlyWhereThereIsOne(self):
        for hasGpu, expected in ((False, ""), (True, "0")):
            with mock.patch.object(Plugin, "hasGpu", return_value=hasGpu):
                self.assertEqual(self.start(useGpu=True)[1], expected)

    def testWhatIsLeftOutIsThatOfTheForm(self):
        masks = tempfile.mkdtemp(dir=self.raw)
        shutil.copy(os.path.join(self.raw, "mic1.mrc"), masks)
        arguments, _ = self.start(exclusionMode=EXCLUSION_GIVEN, margin=50.0, excludeContamination=False,
                                  masksFolder=masks)
        self.assertEqual(arguments[arguments.index("--margin") + 1], "50.0")
        self.assertIn("--no-exclude-contamination", arguments)
        self.assertEqual(os.listdir(arguments[arguments.index("--masks") + 1]), ["mic000001.mrc"])
        self.assertEqual([name for name in self.start()[0] if name in ("--margin", "--masks")], [])


@pytest.mark.gui
class TestWizards(WorkflowTestCase):
    """All wizards are used in one program; each test looks at one of them."""

    @classmethod
    def setUpClass(cls):
        need_screen()
        super().setUpClass()
        points = {name: cls.truth[name][:number] for name, number in zip(cls.NAMES, LABELS, strict=False)}
        labels = cls.importCoordinates(cls.mics, points, BOX, complete)
        training = cls.launchProtocol(cls.newTraining(labels))
        broken = cls.launchProtocol(cls.newProtocol(ProtPuPickerImportModel,
                                                    modelPath=os.path.abspath(training.outputModel.getPath())))
        with open(broken.outputModel.getPath(), "wb") as stream:
            stream.write(b"no model")
        cls.pictures = pictures_folder(cls.addClassCleanup)
        temporary = os.path.join(cls.pictures, "temporary")
        os.makedirs(temporary)
        library = os.path.join(cls.pictures, "library")
        copy_with_card(training.outputModel.getPath(), os.path.join(library, "spots.pupicker"), {"specimen": "spots"})
        run_on_screen("wizard_driver", cls.proj.path, cls.pictures,
                      *(run.getObjId() for run in (labels, training, broken)), TMPDIR=temporary,
                      PUPICKER_USER_MODELS=library)
        cls.left = [name for name in os.listdir(temporary) if name.startswith("pupicker_")]
        with open(os.path.join(cls.pictures, "results.json")) as stream:
            cls.results = json.load(stream)

    def testDiameter(self):
        found = self.results["diameter"]
        self.assertEqual((found["note"], found["circles"]), ("12", 12))  # the one with the most labels is first
        self.assertAlmostEqual(found["start"], BOX * PIXEL_SIZE / 1.75, delta=1)
        self.assertEqual(found["wheel"], found["start"] + 4)
        self.assertAlmostEqual(found["drawn"], 120 / PIXEL_SIZE, delta=0.01)
        self.assertEqual([round(value, 6) for value in found["mapping"]], [17, 230])
        self.assertEqual(found["clicked"], 13)
        zoomed, whole = found["zoomed"]
        self.assertGreater(min(zoomed), 0)
        self.assertLess(min(whole), 0)  # a margin above and below
        self.assertEqual(found["diameter"], 120.0)

    def testCancelChangesNothing(self):
        self.assertEqual(self.results["cancelled"]["diameter"], 77.0)

    def testWithoutInputItSaysWhatToChoose(self):
        self.assertIn("Choose labelled particles first", self.results["nothing chosen"]["warning"])

    def testDiameterWithoutLabels(self):
        found = self.results["preprocess"]
        self.assertEqual((found["circles"], found["clicked"], found["diameter"]), (1, 1, 120.0))

    def testPrior(self):
        found = self.results["prior"]
        self.assertEqual((found["most"], found["priorMode"], found["particlesPerMicrograph"]), ("12", 2, 12.0))
        # The training radius of this diameter and pixel size is 0.11 diameters.
        expected = 12 * math.pi * (0.11 * 120) ** 2 / (WIDTH * HEIGHT * PIXEL_SIZE ** 2)
        self.assertAlmostEqual(float(found["prior"]), expected, delta=0.0002)

    def testClassPriorField(self):
        found = self.results["fraction"]
        self.assertEqual(found["priorMode"], 1)
        self.assertAlmostEqual(found["classPrior"], float(found["prior"]), delta=1e-4)

    def testAttribute(self):
        found = self.results["attribute"]
        self.assertEqual(found["attribute"], "_topazScore")
        self.assertNotIn("_x", found["names"])

    def testFieldsOfAnEvaluation(self):
        found = self.results["evaluated diameter"]
        self.assertEqual((found["note"], found["circles"], found["diameter"]), ("12", 12, 120.0))
        self.assertEqual(self.results["evaluated attribute"]["scoreAttribute"], "_topazScore")

    def testModelOfTheLibrary(self):
        found = self.results["library"]
        self.assertEqual(found["models"], [["spots", "spots", 120]])
        self.assertEqual(found["said"], "Models that can pick these micrographs.")
        self.assertEqual((found["libraryModel"], found["modelSource"]), ("spots", 1))

    def testDetection(self):
        found = self.results["detection"]
        self.assertEqual((found["busy"], found["idle"]), ("picking…", ""))
        self.assertGreaterEqual(found["at 0"], found["at 2"])
        self.assertGreater(found["at 2"], 0)
        self.assertEqual(found["thresholdMode"], 1)
        self.assertAlmostEqual(found["threshold"], 1.7, delta=0.001)
        self.assertTrue(found["text"].startswith("1.7: "), found["text"])
        self.assertEqual(found["minDistance"], 95.0)

    def testHistogramOfAPreview(self):
        """It stands above the slider, and a click into it moves the threshold there."""
        found = self.results["detection"]
        self.assertGreater(found["bars"], 3)
        self.assertAlmostEqual(found["clicked"], -1.0, delta=0.1)
        line, handle = found["line and handle"]
        self.assertAlmostEqual(line, handle, delta=3)

    def testDetectionKeepsALowThreshold(self):
        found = self.results["low threshold"]
        self.assertEqual((found["threshold"], found["lowest"]), (-9.0, -9.0))
        self.assertTrue(found["text"].startswith("-9.0: "), found["text"])

    def testDetectionWithABrokenModel(self):
        (message,) = self.results["broken"]["error"]
        self.assertIn("model.pupicker", message)
        self.assertEqual(len(message.strip().splitlines()), 1, message)
        self.assertEqual(self.results["broken"]["thresholdMode"], 0)

    def testPicturesShowSomething(self):
        assert_shows_something(self.pictures, ("diameter", "prior", "attribute", "detection", "library", "broken"))

    def testTemporaryFoldersAreGone(self):
        self.assertEqual(self.left, [])
