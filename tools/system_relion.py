"""The RELION of the system for a Scipion project.

scipion-em-relion takes the version of RELION from the name of its folder, so the programs on the PATH are given one.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

VERSION = "4.0"
#: The MPI of the system is used by root too (a container), and with more processes than cores.
MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1"}


def missing_relion() -> list[str]:
    """What is lacking to run RELION from Scipion."""
    programs = all(shutil.which(name) for name in ("relion_refine_mpi", "relion_preprocess"))
    package = importlib.util.find_spec("relion") is not None
    return [what for what, there in (("the system package relion", programs),
                                     ("the package scipion-em-relion", package)) if not there]


def use_system_relion() -> None:
    """Make Scipion run the RELION on the PATH: SCIPION_HOME must be set, and pyworkflow not loaded yet."""
    programs = {name: Path(shutil.which(name) or f"/usr/bin/{name}").parent for name in ("relion_refine", "mpirun")}
    home = Path(os.environ["SCIPION_HOME"]) / "software" / "em" / f"relion-{VERSION}"
    home.mkdir(parents=True, exist_ok=True)
    link = home / "bin"
    if not link.is_symlink() and not link.exists():
        link.symlink_to(programs["relion_refine"])
    os.environ.setdefault("MPI_LIBDIR", "/usr/lib/x86_64-linux-gnu")
    os.environ.update(MPI, RELION_HOME=str(home), RELION_ENV_ACTIVATION="true", CONDA_ACTIVATION_CMD="true",
                      MPI_BINDIR=str(programs["mpirun"]))
