"""A headless Scipion in a temporary folder.  Import this before anything of pyworkflow or pwem.

Scipion reads its configuration from the environment when pyworkflow is first imported, and its runs are processes that
inherit it.  Where a Scipion is already loaded (``scipion tests``) its own settings are left alone.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import sys
import tempfile
import unittest

import pupicker

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(pupicker.__file__)))

HOSTS = """[localhost]
PARALLEL_COMMAND = mpirun --allow-run-as-root --oversubscribe -np %_(JOB_NODES)d %_(COMMAND)s
"""

ENTRY_POINTS = """[pyworkflow.plugin]
pupicker = pupicker
"""


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


def is_registered():
    """Whether the plugin is installed, editable or not, so that Scipion finds it."""
    from importlib.metadata import entry_points

    found = entry_points()
    points = found.select(group="pyworkflow.plugin") if hasattr(found, "select") else found.get("pyworkflow.plugin", ())
    return any(point.name == "pupicker" for point in points)


def announce_source_tree(folder):
    """Give a source tree that is not installed the entry point by which Scipion finds plugins."""
    metadata = os.path.join(folder, f"scipion_em_pupicker-{pupicker.__version__}.dist-info")
    write(os.path.join(metadata, "METADATA"),
          f"Metadata-Version: 2.1\nName: scipion-em-pupicker\nVersion: {pupicker.__version__}\n")
    write(os.path.join(metadata, "entry_points.txt"), ENTRY_POINTS)
    sys.path[:0] = [folder, REPOSITORY]
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [folder, REPOSITORY] + [path for path in [os.environ.get("PYTHONPATH")] if path])


def prepare():
    """Make the folders and set the variables of a Scipion without windows, network and queue."""
    work = tempfile.mkdtemp(prefix="pupicker_scipion_")
    atexit.register(shutil.rmtree, work, ignore_errors=True)
    home, config = os.path.join(work, "home"), os.path.join(work, "home", "config")
    os.makedirs(os.path.join(work, "user"))
    write(os.path.join(config, "hosts.conf"), HOSTS)
    write(os.path.join(config, "scipion.conf"), "[PYWORKFLOW]\nSCIPION_NOTIFY = False\n")
    os.environ.update(
        SCIPION_HOME=home, SCIPION_USER_DATA=os.path.join(work, "user"),
        SCIPION_CONFIG=os.path.join(config, "scipion.conf"), SCIPION_LOCAL_CONFIG=os.path.join(config, "scipion.conf"),
        SCIPION_HOSTS=os.path.join(config, "hosts.conf"), SCIPION_DOMAIN="pwem", SCIPION_PYTHON=sys.executable,
        SCIPION_PRIORITY_PACKAGE_LIST="pwem tomo pwchem", SCIPION_NOTIFY="False", SCIPION_TEST_NOSYNC="True",
        SCIPION_STEPS_CHECK_SEC="1", SCIPION_EM_NEW_FILE_CHECK_SEC="2",
        SCIPION_UPDATE_SET_ATTEMPT_WAIT="1", NO_COLOR="1", VIRTUAL_ENV=sys.prefix,
        PATH=os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"])
    os.environ.pop("DISPLAY", None)
    if not is_registered():
        announce_source_tree(os.path.join(work, "site"))


for module, package in (("pwem", "scipion-em"), ("tkinter", "the system package python3-tk")):
    if importlib.util.find_spec(module) is None:
        raise unittest.SkipTest(f"needs {package}")
PREPARED = "pyworkflow" not in sys.modules
"""Whether this is the Scipion of this module, not one that was there."""
if PREPARED:
    prepare()
