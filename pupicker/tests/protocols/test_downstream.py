"""Picks go into RELION: extraction from a set that pupicker made, scores and all."""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest

from pupicker.tests.protocols.workflow import WorkflowTestCase


@pytest.mark.relion
class TestExtraction(WorkflowTestCase):
    """Train, pick, extract with RELION's own protocol and program."""

    @classmethod
    def setUpClass(cls):
        if shutil.which("relion_preprocess") is None:
            pytest.skip("needs the system package relion")
        if importlib.util.find_spec("relion") is None:
            pytest.skip("needs the package scipion-em-relion")
        cls.useSystemRelion()
        super().setUpClass()

    def testExtractionTakesPicksScoresAndBoxSize(self):
        from relion.protocols import ProtRelionExtractParticles

        labels = self.importCoordinates(self.mics, {name: self.truth[name][:12] for name in self.NAMES[:3]}, 44)
        training = self.launchProtocol(self.newTraining(labels))
        picking = self.launchProtocol(self.newPicking(self.mics, training))
        coordinates = picking.outputCoordinates
        extraction = self.newProtocol(ProtRelionExtractParticles, boxSize=coordinates.getBoxSize(), doInvert=True,
                                      saveFloat16=False, numberOfMpi=1)
        extraction.inputCoordinates.set(picking)
        extraction.inputCoordinates.setExtended("outputCoordinates")
        self.launchProtocol(extraction)
        particles = extraction.outputParticles
        # RELION leaves out what is cut by the border; all else must be there, with the score on its coordinate.
        self.assertGreater(particles.getSize(), 0.5 * coordinates.getSize())
        self.assertLessEqual(particles.getSize(), coordinates.getSize())
        scores = {(c.getX(), c.getY(), c.getMicId()): c._pupickerScore.get() for c in coordinates}
        for particle in particles:
            coordinate = particle.getCoordinate()
            key = (coordinate.getX(), coordinate.getY(), coordinate.getMicId())
            self.assertAlmostEqual(coordinate._pupickerScore.get(), scores[key], places=4)
        self.assertEqual(particles.getXDim(), coordinates.getBoxSize())

    @staticmethod
    def useSystemRelion():
        """Debian's RELION under a name that scipion-em-relion accepts."""
        home = os.path.join(os.environ["SCIPION_HOME"], "software", "em", "relion-4.0")
        os.makedirs(home, exist_ok=True)
        if not os.path.lexists(os.path.join(home, "bin")):
            os.symlink(os.path.dirname(shutil.which("relion_preprocess")), os.path.join(home, "bin"))
        os.environ.update(
            RELION_HOME=home, RELION_ENV_ACTIVATION="true", CONDA_ACTIVATION_CMD="true", MPI_BINDIR="/usr/bin",
            MPI_LIBDIR="/usr/lib/x86_64-linux-gnu", OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
            OMPI_MCA_rmaps_base_oversubscribe="1")
