"""The parts of a picking: as an array job of a real Slurm, and processes that write into one folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

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


MICROGRAPHS = 40


@pytest.mark.slow
def test_parts_into_one_folder_at_once_are_the_whole(simulated, model_path, tmp_path):
    """One is killed while the other works, which ends; it is given again and goes on; a micrograph cannot be used."""
    folder = tmp_path / "mics"
    folder.mkdir()
    for number in range(MICROGRAPHS):
        os.link(simulated.unseen[0], folder / f"m{number:02d}.mrc")
    (folder / "m00.mrc").unlink()
    (folder / "m00.mrc").write_text("no micrograph")  # in the first part

    def pick(output, *more):
        return subprocess.Popen([sys.executable, "-m", "pupicker", "pick", folder, "--model", model_path, "--output",
                                 output, "--format", "relion", "--threads", "1", *more], stderr=subprocess.PIPE,
                                stdout=subprocess.DEVNULL, text=True)

    assert pick(tmp_path / "whole").wait() == 3
    picks = tmp_path / "picks"
    first, second = pick(picks, "--part", "1/2"), pick(picks, "--part", "2/2")
    while not (picks / "m03_autopick.star").exists():  # the second of the second part
        assert second.poll() is None
        time.sleep(0.01)
    second.kill()
    second.communicate()
    assert "see " + str(picks / "report_1_of_2.json") in first.communicate()[1] and first.returncode == 3
    again = pick(picks, "--part", "2/2")
    assert "picked already" in again.communicate()[1] and again.returncode == 0
    report = json.loads((picks / "report_1_of_2.json").read_text())
    assert [one["micrograph"] for one in report["quarantined"]] == [str(folder / "m00.mrc")]
    (picks / "report_1_of_2.json").unlink()
    (tmp_path / "whole" / "report.json").unlink()
    together, whole = ({path.name: path.read_text().replace(str(path.parent), "") for path in one.iterdir()}
                       for one in (picks, tmp_path / "whole"))
    assert together == whole and len(whole) == MICROGRAPHS  # an index in place of the one that cannot be used
