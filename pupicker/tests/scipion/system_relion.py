"""The RELION of the system under a name that scipion-em-relion accepts."""

from __future__ import annotations

import importlib.util
import os
import shutil


def missing_relion() -> list[str]:
    """What is lacking to run RELION from Scipion."""
    found = []
    if shutil.which("relion_refine_mpi") is None or shutil.which("relion_preprocess") is None:
        found.append("the system package relion")
    if importlib.util.find_spec("relion") is None:
        found.append("the package scipion-em-relion")
    return found


def use_system_relion() -> None:
    """Set the variables that make Scipion run the RELION on the PATH; SCIPION_HOME must be set, pyworkflow not loaded.

    scipion-em-relion takes its version from the name of the folder.  An MPI of the system is used, also by root (a
    container) and with more processes than cores.
    """
    binaries = os.path.dirname(shutil.which("relion_refine") or "/usr/bin/relion_refine")
    home = os.path.join(os.environ["SCIPION_HOME"], "software", "em", "relion-4.0")
    os.makedirs(home, exist_ok=True)
    if not os.path.lexists(os.path.join(home, "bin")):
        os.symlink(binaries, os.path.join(home, "bin"))
    os.environ.update(
        RELION_HOME=home, RELION_ENV_ACTIVATION="true", CONDA_ACTIVATION_CMD="true",
        MPI_BINDIR=os.path.dirname(shutil.which("mpirun") or "/usr/bin/mpirun"),
        MPI_LIBDIR=os.environ.get("MPI_LIBDIR", "/usr/lib/x86_64-linux-gnu"), OMPI_ALLOW_RUN_AS_ROOT="1",
        OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_rmaps_base_oversubscribe="1")
