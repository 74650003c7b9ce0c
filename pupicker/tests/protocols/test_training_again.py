"""Continue of a training and of preprocessing: only what is used counts; disabled labels; sets that still grow."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing

import pytest

from pupicker.tests.scipion.workflow import PARTICLES, WorkflowTestCase, makeMicrographs

import mrcfile  # isort: skip
import numpy as np  # isort: skip
from pwem.objects import Micrograph, SetOfMicrographs  # isort: skip

from pupicker.constants import PSEUDO_LABELS  # isort: skip
from pupicker.protocols import (  # isort: skip
    ProtPuPickerCrossValidate, ProtPuPickerEvaluate, ProtPuPickerPreprocess, ProtPuPickerTrain,
)

NAMES = ["a.mrc", "b.mrc", "c.mrc"]


class TestTrainingAgain(WorkflowTestCase):

    NAMES = ["mic1.mrc"]

    def newMicrographs(self, name):
        folder = os.path.join(self.raw, name)
        truth = makeMicrographs(folder, NAMES, seed=11)
        return folder, self.importMicrographs(folder), truth

    @pytest.mark.slow
    def testRepairedMicrographIsTakenUp(self):
        folder, mics, truth = self.newMicrographs("repaired")
        labels = self.importCoordinates(mics, truth, 44)
        path = os.path.join(folder, "b.mrc")
        shutil.copy(path, path + ".whole")
        with open(path, "r+b") as stream:
            stream.truncate(5000)
        small = self.newProtocol(ProtPuPickerPreprocess, diameter=120.0, numberOfThreads=1)
        self.link(small.inputMicrographs, mics, "outputMicrographs")
        self.launchProtocol(small)
        training = self.launchProtocol(self.newTraining(labels, updates=6))
        self.assertEqual(small.outputMicrographs.getSize(), 2)
        self.assertEqual(training.outputModel.getNumberOfLabels(), 40)
        self.assertIn("_Continue_ takes them up", "\n".join(training.summary()))
        os.replace(path + ".whole", path)
        for run in (small, training):
            self.launchProtocol(run)
            self.assertNotIn("Quarantined", "\n".join(run.summary()))
        self.assertEqual([mic.getMicName() for mic in small.outputMicrographs], NAMES)
        self.assertEqual(training.outputModel.getNumberOfLabels(), 60)

    def testDisabledLabelsAreNotLearntFromAndTold(self):
        labels = self.importCoordinates(self.mics, self.truth, 44)
        run = self.newTraining(labels)
        path = os.path.join(self.proj.path, labels.outputCoordinates.getFileName())
        for condition, errors in (("id < 3", []), ("id > 0", [
                "*Labelled particles*: all of them are disabled. Enable those to learn from."])):
            with closing(sqlite3.connect(path)) as database:
                database.execute(f"UPDATE Objects SET enabled = 0 WHERE {condition}")
                database.commit()
            self.assertEqual(run._validateLabels(), errors)
            if not errors:
                self.proj.saveProtocol(run)
                run.makePathsAndClean()
                run.convertInputStep("")
                self.assertEqual(run._inputSummary(run._getInput()), [
                    f"Labels: {PARTICLES - 2} on 1 micrograph", "*Disabled labels left out: 2*"])

    def testDisabledReferencesAreToldByAnEvaluation(self):
        picks, reference = (self.importCoordinates(self.mics, self.truth, 44) for _ in range(2))
        path = os.path.join(self.proj.path, reference.outputCoordinates.getFileName())
        with closing(sqlite3.connect(path)) as database:
            database.execute("UPDATE Objects SET enabled = 0 WHERE id < 3")
            database.commit()
        run = self.newProtocol(ProtPuPickerEvaluate, diameter=120.0, scoreAttribute="")
        self.link(run.inputCoordinates, picks, "outputCoordinates")
        self.link(run.referenceCoordinates, reference, "outputCoordinates")
        self.launchProtocol(run)
        self.assertEqual(run.summary()[-1], "*Disabled coordinates of the reference left out: 2*")

    def testWhatIsNotUsedDoesNotCount(self):
        """More micrographs, and masks of others: the model stays."""
        folder, mics, truth = self.newMicrographs("more")
        labels = self.importCoordinates(mics, {"a.mrc": truth["a.mrc"]}, 44)
        masks = os.path.join(self.raw, "masks")
        os.makedirs(masks)
        for name in ("a.mrc", "b.mrc"):
            with mrcfile.new(os.path.join(masks, name), overwrite=True) as mrc:
                mrc.set_data(np.eye(104, 120, dtype=np.float32))
        os.symlink("/nowhere", os.path.join(masks, "c.mrc"))
        run = self.launchProtocol(self.newTraining(labels, mics, updates=6, masksFolder=masks))
        written = os.stat(run.outputModel.getPath()).st_mtime_ns
        micSet = self.open(mics)
        mic = Micrograph(location=os.path.join(folder, "b.mrc"))
        mic.setMicName("d.mrc")
        micSet.append(mic)
        micSet.write()
        micSet.close()
        os.utime(os.path.join(masks, "b.mrc"), (1, 1))
        self.launchProtocol(run)
        self.assertEqual(os.stat(run.outputModel.getPath()).st_mtime_ns, written)
        os.utime(os.path.join(masks, "a.mrc"), (1, 1))
        self.launchProtocol(run)
        self.assertNotEqual(os.stat(run.outputModel.getPath()).st_mtime_ns, written)

    def open(self, run, output="outputMicrographs"):
        """A set of a run, open again for more items."""
        itemSet = getattr(run, output)
        path = os.path.join(self.proj.path, itemSet.getFileName())
        opened = type(itemSet)(filename=path)
        opened.loadAllProperties()
        opened.enableAppend()
        opened.setStreamState(SetOfMicrographs.STREAM_OPEN)
        return opened

    def testSetsThatGrow(self):
        """Micrographs may: only those with labels are used.  What is learnt from has to be complete."""
        _, mics, truth = self.newMicrographs("growing")
        labels = self.importCoordinates(mics, truth, 44)
        for protocol in (ProtPuPickerTrain, ProtPuPickerCrossValidate):
            self.assertTrue(protocol.worksInStreaming())
        run = self.newTraining(labels, mics)
        mics.outputMicrographs.setStreamState(SetOfMicrographs.STREAM_OPEN)
        self.assertEqual((run._validate(), run.getInputStatus()[1]), ([], False))
        run.trainFrom.set(PSEUDO_LABELS.index("general"))
        (message,) = run._validate()
        self.assertIn("*Micrographs (optional)*: the set is still growing", message)
        self.assertTrue(run.getInputStatus()[1])
        run = self.newTraining(labels)
        labels.outputCoordinates.setStreamState(SetOfMicrographs.STREAM_OPEN)
        (message,) = run._validate()
        self.assertIn("*Labelled particles*: the set is still growing", message)
        self.assertTrue(run.getInputStatus()[1])
