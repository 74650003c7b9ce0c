"""The parts of a picking as an array job of a real Slurm."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pupicker.engine.files.coordinates import read_coordinates
from pupicker.tests.scipion.slurm_cluster import GUIDE, SlurmCluster, guide_blocks, missing_programs


@pytest.mark.slow
def test_an_array_job_of_the_guide(tmp_path, monkeypatch, simulated, model_path):
    """The block as it stands, with other names of files; a part without micrographs is none the less done."""
    if missing_programs():
        pytest.skip(f"needs Slurm (slurm-wlm, munge): no {missing_programs()[0]}")
    if not guide_blocks("sh"):
        pytest.skip("needs the repository: docs is not beside the package")
    script, join = (block for block in guide_blocks("sh") if "--part" in block or "convert parts/" in block)
    (tmp_path / "parts").mkdir()
    (tmp_path / "micrographs").symlink_to(simulated.folder)
    (tmp_path / "model.pupicker").symlink_to(model_path)
    command = f"{sys.executable} -m pupicker"
    script = script.replace("pupicker pick", f"{command} pick --threads 1").replace("=4", "=1")
    (tmp_path / "job.sh").write_text(script)
    monkeypatch.setenv("PYTHONPATH", str(GUIDE.parents[1]))
    monkeypatch.chdir(tmp_path)
    with SlurmCluster(tmp_path / "slurm") as cluster:
        cluster.run("sbatch", "--wait", "--output=log-%a.txt", "job.sh")
        assert set(cluster.jobs().values()) == {"COMPLETED"}, "".join(p.read_text() for p in tmp_path.glob("log-*"))
    assert len(list((tmp_path / "parts").iterdir())) == 8 > len(simulated.micrographs)
    for line in (join.strip(), "pupicker pick micrographs --model model.pupicker --output whole.star --threads 1"):
        subprocess.run([*command.split(), *line.split()[1:]], check=True)
    joined, whole = read_coordinates("picks.star"), read_coordinates("whole.star")
    assert sorted(zip(joined.micrograph, joined.x, joined.y, strict=True)) == sorted(
        zip(whole.micrograph, whole.x, whole.y, strict=True))
