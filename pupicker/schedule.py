"""Start every new run of a project from the command line: ``scipion3 python -m pupicker.schedule PROJECT [--wait]``.

For projects made from a template without a window (``scipion3 template NAME ... --nogui --noschedule``).  Each run
starts once and waits for its inputs by itself.  Scipion's own script goes through the workflow from each import, and so
starts a run twice that follows from two of them.

With ``--one-by-one`` a run starts when the one before has ended: several refinements at once on few cores take many
times as long as one after another, because their processes wait for each other busily.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import AbstractSet, Any, Dict, Iterable, List, Optional

from pyworkflow.object import Set
from pyworkflow.project import Manager
from pyworkflow.protocol import STATUS_SAVED

from pupicker.shared.plurals import counted

POLL_S = 2


def updateRun(project: Any, run: Any) -> None:
    """Bring `run` up to date with what its process wrote; a failure is believed only after a second look.

    Scipion reads what the process wrote and looks whether it lives afterwards.  A run that ends in between counts as
    dead, and as it takes the time of the file after reading it, too, it may never read the end.
    """
    if run.isActive():
        project._updateProtocol(run)
    if run.isFailed() and os.path.exists(run.getDbPath()):
        run.lastUpdateTimeStamp.set(None)  # else Scipion takes its copy for the newest
        project._updateProtocol(run)


def newRuns(project: Any) -> List[Any]:
    """Runs that were never started, in the order in which they were made."""
    return sorted((run for run in project.getRuns() if run.getStatus() == STATUS_SAVED), key=lambda run: run.getObjId())


def problems(runs: List[Any], growing: bool = False) -> List[str]:
    """What is wrong with runs whose inputs are there already: they would wait for ever.

    With `growing`, a set that is still open may yet become right.
    """
    lines = []
    for run in runs:
        inputs = [pointer.get() for _, pointer in run.iterInputPointers() if pointer.hasValue()]
        if not any(item is None or (growing and isinstance(item, Set) and item.isStreamOpen()) for item in inputs):
            lines += ["%s: %s" % (nameOf(run), message) for message in run.validate()]
    return lines


def missingOutput(run: Any, runs: Iterable[Any]) -> str:
    """Which output `run` would wait for in vain, because the run that should make it has ended; "" if there is none."""
    known = {other.getObjId(): other for other in runs}
    for _, pointer in run.iterInputPointers():
        source = known.get(pointer.getObjValue().getObjId()) if pointer.hasValue() else None
        if source is None or not pointer.hasExtended() or source.isActive():
            continue
        if getattr(source, pointer.getExtendedParts()[0], None) is None:
            return "%s: not started, because %s has made no %s" % (nameOf(run), nameOf(source), pointer.getExtended())
    return ""


def nameOf(run: Any) -> str:
    """What the window shows of a run."""
    return "run %d (%s)" % (run.getObjId(), run.getObjLabel() or run.getClassLabel())


def waitForAll(project: Any, started: AbstractSet[int]) -> List[str]:
    """Wait until none of the runs with the ids `started` is active; returns one line for each that did not finish.

    A run that waits for an output which will never come is stopped, and the others go on.  After a failure, or when a
    run has its inputs and cannot start with them, what still waits is stopped.  Other runs of the project do not count.
    """
    stuck: Dict[int, str] = {}  # what is said of runs that were stopped here: nobody else has aborted them
    while True:
        everything = project.getRuns(refresh=True, checkPids=True)
        for run in everything:
            if run.isActive() or run.getObjId() in started:
                updateRun(project, run)
        runs = [run for run in everything if run.getObjId() in started and run.getObjId() not in stuck]
        waiting = [run for run in runs if run.isScheduled()]
        for run in waiting:
            missing = missingOutput(run, everything)
            if missing:
                stuck[run.getObjId()] = missing
                project.stopProtocol(run)
        waiting = [run for run in waiting if run.getObjId() not in stuck]
        busy = any(run.isActive() and not run.isScheduled() for run in everything)
        refused = [] if busy else problems(waiting)
        if refused or any(run.isFailed() or (run.isAborted() and run.getObjId() not in stuck) for run in runs):
            for run in waiting:
                named = any(line.startswith(nameOf(run) + ":") for line in refused)
                stuck[run.getObjId()] = "" if named else "%s: not started, because another run has failed" % nameOf(run)
                project.stopProtocol(run)
            runs = [run for run in project.getRuns(refresh=True, checkPids=True) if run.getObjId() in started]
        if not any(run.isActive() for run in runs):
            return refused + [
                "%s: %s %s" % (nameOf(run), run.getStatus(), run.getErrorMessage().strip()) for run in runs
                if run.getObjId() not in stuck and not run.isFinished() and not run.isSaved()
            ] + [line for line in stuck.values() if line]
        time.sleep(POLL_S)


def runOneByOne(project: Any, runs: List[Any]) -> List[str]:
    """Run them in this order up to the first failure; what was left out is named too.

    One whose input will never come is left out, and the others go on.
    """
    left: List[str] = []
    for number, run in enumerate(runs):
        missing = missingOutput(run, project.getRuns(refresh=True))
        if missing:
            left.append(missing)
            continue
        failed = problems([run])
        if not failed:
            project.scheduleProtocol(run)
            failed = waitForAll(project, {run.getObjId()})
        if failed:
            return left + failed + ["%s: not started" % nameOf(other) for other in runs[number + 1:]]
    return left


def main(arguments: Optional[List[str]] = None) -> int:
    """Exit code 0; 1 if a run cannot start, or with ``--wait`` did not finish; 2 if there is no such project."""
    parser = argparse.ArgumentParser(prog="pupicker.schedule", description="Start every new run of a Scipion project.")
    parser.add_argument("project", help="name of the project")
    parser.add_argument("--wait", action="store_true",
                        help="return when they have ended; 1 if one has failed or could not start")
    parser.add_argument("--one-by-one", action="store_true",
                        help="start a run when the one before has ended, for computers with few cores; waits, too")
    args = parser.parse_args(arguments)
    manager = Manager()
    if not manager.hasProject(args.project):
        parser.error("there is no project %r among those of this user: %s"
                     % (args.project, ", ".join(info.getName() for info in manager.listProjects()) or "none"))
    project = manager.loadProject(args.project)
    runs = newRuns(project)
    failed = problems(runs, growing=True)
    if not failed and args.one_by_one:
        failed = runOneByOne(project, runs)
    elif not failed:
        for run in runs:
            project.scheduleProtocol(run)
        sys.stdout.write("%s started\n" % counted(len(runs), "run"))
        failed = waitForAll(project, {run.getObjId() for run in runs}) if args.wait else []
    for line in failed:
        sys.stderr.write("pupicker.schedule: error: %s\n" % line)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
