"""Train and pick in a new project of the user who runs it: ``PYTHON site_project.py``; prints one line of JSON.

The tests of the installation start it with another Python, or as another user, than theirs.
"""

from __future__ import annotations

import importlib.util
import json
import sys

from pupicker.tests.scipion.workflow import WorkflowTestCase, foundFraction

import pupicker  # isort: skip
from pupicker import Plugin  # isort: skip


class SiteProject(WorkflowTestCase):
    """The shortest way through the plugin."""

    NAMES = ["mic1.mrc", "mic2.mrc"]
    FORKED = False

    def runTest(self):
        labels = self.importCoordinates(self.mics, self.truth, 44)
        training = self.launchProtocol(self.newTraining(labels))
        picking = self.launchProtocol(self.newPicking(self.mics, training))
        log = self.read(training.getStdoutLog()).decode()
        sys.stdout.write("\n" + json.dumps({
            "package": pupicker.__file__, "scipion": sys.executable, "core": Plugin.getInterpreter(),
            "scipion_has_torch": importlib.util.find_spec("torch") is not None,
            "core_in_log": Plugin.getInterpreter() in log,
            "found": foundFraction(picking.outputCoordinates, self.truth),
        }) + "\n")


if __name__ == "__main__":
    import unittest

    result = unittest.TextTestRunner().run(unittest.TestSuite([SiteProject()]))
    for _, reason in result.skipped:  # what the plugin finds missing is a failure here
        sys.stderr.write(reason + "\n")
    sys.exit(bool(result.skipped) or not result.wasSuccessful())
