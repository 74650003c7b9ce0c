"""A Slurm of one node on this machine, with a munge of its own: what a cluster's scheduler does with our jobs.

Nothing outside of its folder is touched, and it ends with the test.  Needs Debian's slurm-wlm and munge.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pupicker
from pupicker.tests.ports import free_ports

GUIDE = Path(pupicker.__file__).resolve().parents[1] / "docs" / "facility.md"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")
SOON_S = 60.0
CONFIGURATION = """
ClusterName=pupicker
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/builtin
MpiDefault=none
ReturnToService=2
KillWait=2
MinJobAge=300
InactiveLimit=0
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4
"""


def missing_programs() -> list[str]:
    """Those that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]


def guide_blocks(language: str, page: Path = GUIDE) -> list[str]:
    """Those of the page for facilities or of another one; none where it is not beside the package."""
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def _path() -> str:
    return os.environ["PATH"] + ":/usr/sbin:/sbin"


class SlurmCluster:
    """Start it with ``with``; ``SLURM_CONF`` leads every program of this process and its children to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self._before = os.environ.get("SLURM_CONF")

    def __enter__(self) -> SlurmCluster:
        for name in ("state", "spool"):
            (self.folder / name).mkdir(mode=0o755, parents=True)
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        host, user = socket.gethostname().split(".")[0], _user()
        conf = self.folder / "slurm.conf"
        conf.write_text(CONFIGURATION.format(
            host=host, user=user, folder=self.folder, ports=free_ports(2), cpus=os.cpu_count()))
        if self._version() >= (23, 11):  # the ones before need none, and do not know the word
            (self.folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
        os.environ["SLURM_CONF"] = str(conf)
        at = {name: f"--{name}-file={self.folder / ('munge.' + name)}" for name in ("key", "pid", "log", "seed")}
        self._start("munged", "--foreground", "--force", f"--socket={self.folder / 'munge.socket'}", *at.values())
        self._wait(lambda: (self.folder / "munge.socket").exists(), "munge does not start")
        self._start("slurmctld", "-D")
        self._start("slurmd", "-D", "-N", host)
        self._wait(lambda: "idle" in self.run("sinfo", "--noheader", "-o", "%t"), "the node does not come up")
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._before is None:
            os.environ.pop("SLURM_CONF", None)
        else:
            os.environ["SLURM_CONF"] = self._before

    @staticmethod
    def _version() -> tuple[int, ...]:
        text = subprocess.run([str(shutil.which("slurmd", path=_path())), "-V"], capture_output=True, text=True).stdout
        return tuple(int(part) for part in re.findall(r"\d+", text)[:2])

    def run(self, *words: str) -> str:
        """Output of a program of Slurm."""
        return subprocess.run(words, capture_output=True, text=True, timeout=SOON_S).stdout

    def jobs(self) -> dict[int, str]:
        """States of the jobs that Slurm knows of, also of those that have ended."""
        lines = self.run("squeue", "--all", "--noheader", "--states=all", "-o", "%A %T").splitlines()
        return {int(line.split()[0]): line.split()[1] for line in lines}

    def _start(self, *words: str) -> None:
        with (self.folder / f"{words[0]}.out").open("wb") as out:
            program = shutil.which(words[0], path=_path()) or words[0]
            self._processes.append(subprocess.Popen([program, *words[1:]], stdin=subprocess.DEVNULL, stdout=out,
                                                    stderr=out, start_new_session=True))

    def _wait(self, condition, what: str) -> None:
        deadline = time.monotonic() + SOON_S
        while not condition():
            if time.monotonic() > deadline:
                logs = [path.read_text(errors="replace")[-2000:] for path in sorted(self.folder.glob("*.[ol][uo][tg]"))]
                raise AssertionError("\n".join([what, *logs]))
            time.sleep(0.2)


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name
