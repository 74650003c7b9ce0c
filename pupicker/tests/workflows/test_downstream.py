"""Picks go into RELION: extraction from a set that pupicker made, scores and all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import pupicker
from pupicker.tests.scipion.system_relion import missing_relion, use_system_relion
from pupicker.tests.scipion.workflow import TrainedTestCase


@pytest.mark.relion
class TestExtraction(TrainedTestCase):
    """Extract what was picked, with RELION's own protocol and program."""

    @classmethod
    def setUpClass(cls):
        if missing_relion():
            pytest.skip("needs " + " and ".join(missing_relion()))
        use_system_relion()
        super().setUpClass()

    def testExtractionTakesPicksScoresAndBoxSize(self):
        from relion.protocols import ProtRelionExtractParticles

        picking = self.picking
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


@pytest.mark.relion
@pytest.mark.slow
def test_comparison_by_threshold(tmp_path):
    """The short form of ``make downstream``: picks more often right than not give right classes."""
    if missing_relion():
        pytest.skip("needs " + " and ".join(missing_relion()))
    program = Path(pupicker.__file__).resolve().parents[1] / "tools" / "downstream.py"
    if not program.is_file():
        pytest.skip("needs the repository: tools are not beside the package")
    done = subprocess.run([sys.executable, str(program), "--quick", "--output", str(tmp_path)], cwd=tmp_path,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    report = json.loads((tmp_path / "downstream.json").read_text())
    picks, truth = report["branches"]
    assert truth["false"] == 0 and truth["false_classes"] == 0 and truth["recall"] == 1
    assert sum(count["particles"] for count in truth["classes"]) == truth["particles"] == truth["true"]
    assert sum(count["particles"] for count in picks["classes"]) == picks["particles"] == picks["true"] + picks["false"]
    assert picks["recall"] > 0.8
    assert picks["true"] > 2 * picks["false"]
    # Empty classes collect what is left over; what counts is how many particles are in classes of false picks.
    astray = sum(count["particles"] for count in picks["classes"] if 2 * count["false"] > count["particles"])
    assert astray < picks["particles"] / 3
    assert (tmp_path / "downstream.png").stat().st_size > 10_000
