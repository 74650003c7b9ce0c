"""``torchrun`` in a job of a real Slurm, with the script of the guide."""

from __future__ import annotations

import sys

import pytest
import torch
from safetensors.torch import load_file

from pupicker.tests.commands.command_line import run
from pupicker.tests.ports import free_ports
from pupicker.tests.scipion.slurm_cluster import GUIDE, SlurmCluster, guide_blocks, missing_programs
from pupicker.tests.simulated import DIAMETER_ANG

SITE = GUIDE.parent / "guide" / "site-install.md"
OPTIONS = "--updates 20 --batch-size 64 --threads 1 --network conv31 --precision float32 --device cpu"


@pytest.mark.slow
def test_the_job_of_the_guide_trains_the_model_of_one_process(capsys, tmp_path, monkeypatch, simulated):
    """The block as it stands, but for one node without GPUs; two processes meet at its address."""
    if missing_programs():
        pytest.skip(f"needs Slurm (slurm-wlm, munge): no {missing_programs()[0]}")
    if not guide_blocks("sh", SITE):
        pytest.skip("needs the repository: docs is not beside the package")
    (script,) = (block for block in guide_blocks("sh", SITE) if "SBATCH" in block and "torchrun" in block)
    here = {
        "--nodes=2": "--nodes=1", "#SBATCH --gpus-per-node=4\n": "", "--cpus-per-task=16": "--cpus-per-task=1",
        "--nproc-per-node 4": "--nproc-per-node 2", "29500": str(free_ports(1)[0]), "--diameter 180":
        f"--diameter {DIAMETER_ANG} {OPTIONS}", "torchrun": f"{sys.executable} -m torch.distributed.run",
    }
    for theirs, ours in here.items():
        assert theirs in script, theirs
        script = script.replace(theirs, ours)
    (tmp_path / "micrographs").mkdir()
    for micrograph in simulated.labelled:
        (tmp_path / "micrographs" / micrograph.name).symlink_to(micrograph)
    (tmp_path / "labels.star").symlink_to(simulated.labels)
    (tmp_path / "job.sh").write_text(script)
    monkeypatch.setenv("PYTHONPATH", str(GUIDE.parents[1]))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    with SlurmCluster(tmp_path / "slurm") as cluster:
        cluster.run("sbatch", "--wait", "--output=log.txt", "job.sh")
        said = (tmp_path / "log.txt").read_text()
        assert list(cluster.jobs().values()) == ["COMPLETED"], said
    assert "note: 2 processes share the updates, on the cpu" in said
    assert run(capsys, "train", "micrographs", "--picks", "labels.star", "--diameter", DIAMETER_ANG, *OPTIONS.split(),
               "--output", "one.pupicker").code == 0
    theirs = load_file("one.pupicker")
    for name, tensor in load_file("model.pupicker").items():
        torch.testing.assert_close(tensor, theirs[name], rtol=1e-4, atol=1e-4)
