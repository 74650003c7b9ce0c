"""A model is published in one project and picks, by its name, in another; the library changes afterwards."""

from __future__ import annotations

import os
import shutil
import tempfile

from pupicker.tests.scipion.workflow import TrainedTestCase, WorkflowTestCase

import pyworkflow as pw  # isort: skip
from pyworkflow.tests import setupTestProject  # isort: skip

from pupicker import Plugin  # isort: skip
from pupicker.constants import MODEL_OF_LIBRARY, PUBLISH_SITE, PUPICKER_USER_MODELS  # isort: skip
from pupicker.convert.origin import diameterOf, modelOf  # isort: skip
from pupicker.protocols import ProtPuPickerImportModel, ProtPuPickerPick, ProtPuPickerPublishModel  # isort: skip
from pupicker.shared.model_header import content_digest  # isort: skip
from pupicker.tests.tiny_model import tiny_model  # isort: skip
from pupicker.wizards.wizard_model import ModelList, Row, _whyNot, offered  # isort: skip


class OtherProject(WorkflowTestCase):
    """A second project, with the micrographs of the first."""


class TestModelLibrary(TrainedTestCase):

    @classmethod
    def setUpClass(cls):
        cls.library = tempfile.mkdtemp(prefix="pupicker_library_")
        cls.addClassCleanup(shutil.rmtree, cls.library)
        before = os.environ.get(PUPICKER_USER_MODELS)
        cls.addClassCleanup(lambda: os.environ.pop(PUPICKER_USER_MODELS) if before is None
                            else os.environ.update({PUPICKER_USER_MODELS: before}))
        os.environ[PUPICKER_USER_MODELS] = cls.library  # runs are processes of their own
        pw.Config.getDomain().getPlugins()
        known = Plugin.getVar(PUPICKER_USER_MODELS)
        cls.addClassCleanup(lambda: Plugin._vars.update({PUPICKER_USER_MODELS: known}))
        Plugin._vars[PUPICKER_USER_MODELS] = cls.library
        super().setUpClass()

    def publish(self, modelRun, **values):
        run = self.newProtocol(ProtPuPickerPublishModel, **values)
        self.link(run.inputModel, modelRun, "outputModel")
        return run

    def testPublishedInOneProjectPicksInAnother(self):
        run = self.publish(self.training, modelName="spots", specimen="it's a; $(spot)", microscope="none")
        self.assertEqual(run._validate(), [])
        self.launchProtocol(run)
        path = os.path.join(self.library, "spots.pupicker")
        self.assertEqual(content_digest(path), content_digest(self.training.outputModel.getPath()))
        self.assertIn("Published as *spots*", run.summary()[0])
        self.assertEqual((run._validate(), run._warnings()), ([], []))  # its own model does not stand in its way
        (warning,) = self.publish(self.training, modelName="spots", microscope="Krios")._warnings()
        self.assertIn("Replaced on its card: specimen \"it's a; $(spot)\" (now none), microscope 'none' (now 'Krios')",
                      warning)
        self.assertEqual(self.publish(self.training, modelName="dots")._warnings(), [])

        expected = [c.getPosition() for c in self.picking.outputCoordinates]
        diameter = self.training.outputModel.getDiameterAng()
        self.addCleanup(os.chdir, self.proj.path)  # paths are relative to the project that one is in
        setupTestProject(OtherProject)
        OtherProject.raw = self.raw
        mics = OtherProject.importMicrographs(self.raw)
        picking = OtherProject.newProtocol(ProtPuPickerPick, modelSource=MODEL_OF_LIBRARY, useGpu=False, binThreads=1)
        self.link(picking.inputMicrographs, mics, "outputMicrographs")
        self.assertIn("choose one", picking.validate()[0])
        picking.libraryModel.set("spot")
        self.assertIn("nearest names are spots", picking.validate()[0])
        self.assertWizard(picking)
        picking.libraryModel.set("spots")
        self.assertEqual(picking.validate(), [])
        OtherProject.launchProtocol(picking)
        self.assertEqual([c.getPosition() for c in picking.outputCoordinates], expected)
        self.assertEqual((diameterOf(picking), modelOf(picking).getPath()), (diameter, picking._getLibraryCopy()))
        self.assertIn("Model *spots* of the library (it's a; $(spot), ", "\n".join(picking.summary()))
        self.assertEqual(picking._warnings(), [])
        self.assertLaterChange(picking, path)

    def assertWizard(self, picking):
        """It lists what can pick these micrographs, with what the card says, and refuses what is damaged."""
        damaged = os.path.join(self.library, "bad.pupicker")
        with open(damaged, "wb") as stream:
            stream.write(b"no model")
        entries, _ = offered(picking)
        self.assertEqual([entry.name for entry in entries], ["spots"])
        row = ModelList(entries).getObjectInfo(Row(entries[0]))
        self.assertEqual((row["text"], row["values"][:2]), ("spots", ("it's a; $(spot)", "120")))
        self.assertIsNone(_whyNot([Row(entries[0])]))
        picking.inputMicrographs.set(None)
        every, _ = offered(picking)
        self.assertIn(damaged, _whyNot([Row(entry) for entry in every if entry.name == "bad"]))
        self.link(picking.inputMicrographs, OtherProject.proj.getRuns()[0], "outputMicrographs")
        os.remove(damaged)

    def assertLaterChange(self, picking, path):
        """Another model takes the name: the run says so and goes on with its copy."""
        first = content_digest(picking._getLibraryCopy())
        before = sorted(c.getPosition() for c in picking.outputCoordinates)
        os.chdir(self.proj.path)
        other = tiny_model(os.path.join(self.raw, "other.pupicker"))
        imported = self.launchProtocol(self.newProtocol(ProtPuPickerImportModel, modelPath=other))
        again = self.publish(imported, modelName="spots")
        (error,) = again._validate()
        self.assertIn("another model of this name (it's a; $(spot), ", error)
        again.replace.set(True)
        self.assertEqual(again._validate(), [])
        self.launchProtocol(again)
        self.assertNotEqual(content_digest(path), first)
        os.chdir(OtherProject.proj.path)
        (warning,) = picking._warnings()
        self.assertIn("another model under the name spots", warning)
        self.assertIn(warning, "\n".join(picking.summary()))
        OtherProject.launchProtocol(picking)
        self.assertEqual(content_digest(picking._getLibraryCopy()), first)
        self.assertEqual(sorted(c.getPosition() for c in picking.outputCoordinates), before)

    def testWhatCannotBePublishedIsSaidBefore(self):
        for values, expected in (({}, "Name in the library"), ({"modelName": "a/b"}, "Name in the library"),
                                 ({"modelName": "a", "specimen": "x" * 501}, "Specimen"),
                                 ({"modelName": "a", "library": PUBLISH_SITE}, "PUPICKER_MODELS is not set")):
            (error,) = self.publish(self.training, **values)._validate()
            self.assertIn(expected, error)
