"""As ``test_label_real``, with apoferritin: a file of its own, so that the two run at the same time."""

from __future__ import annotations

import pytest

from pupicker.tests.scipion.workflow import WorkflowTestCase
from pupicker.tests.windows.test_label_real import TenClicks


@pytest.mark.gui
@pytest.mark.slow
class TestApoferritin(TenClicks, WorkflowTestCase):
    SET, MICROGRAPHS, TRUTH = "empiar10146_apoferritin", "mrc", "truth/particles_1.5A.txt"
    PIXEL_SIZE, DIAMETER = 1.5, 120.0
    BY_COMMAND = 0.992  # trained once: it takes as long as all that is clicked
