"""Start every new run of a project from the command line: ``scipion3 python -m pupicker.schedule PROJECT [--wait]``.

For projects made from a template without a window (``scipion3 template NAME ... --nogui --noschedule``).  Each run
starts once and waits for its inputs by itself.  Scipion's own script goes through the workflow from each import, and so
starts a run twice that follows from two of them.

With ``--one-by-one`` a run starts when the one before has ended: several refinements at once on few cores take many
times as long as one after another, because their processes wait for each other busily.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any, List, Optional

from pyworkflow.project import Manager
from pyworkflow.protocol import STATUS_SAVED

POLL_S = 2


def newRuns(project: Any) -> List[Any]:
    """Runs that were never started, in the order in which they were made."""
    return sorted((run for run in project.getRuns() if run.getStatus() == STATUS_SAVED), key=lambda run: run.getObjId())


def problems(runs: List[Any]) -> List[str]:
    """What is wrong with runs whose inputs are there already: they would wait for ever."""
    lines = []
    for run in runs:
        if all(pointer.get() is not None for _, pointer in run.iterInputPointers() if pointer.hasValue()):
            lines += ["%s: %s" % (nameOf(run), message) for message in run.validate()]
    return lines


def nameOf(run: Any) -> str:
    """What the window shows of a run."""
    return "run %d (%s)" % (run.getObjId(), run.getObjLabel() or run.getClassLabel())


def waitForAll(project: Any) -> List[str]:
    """Wait until no run is active any more; returns one line for each that did not finish.

    After a failure, or when a run has its inputs and cannot start with them, what still waits is stopped.
    """
    while True:
        runs = project.getRuns(refresh=True, checkPids=True)
        for run in runs:
            if run.isActive():
                project._updateProtocol(run)
        waiting = [run for run in runs if run.isScheduled()]
        busy = any(run.isActive() and not run.isScheduled() for run in runs)
        stuck = [] if busy else problems(waiting)
        if stuck or any(run.isFailed() or run.isAborted() for run in runs):
            for run in waiting:
                project.stopProtocol(run)
            runs = project.getRuns(refresh=True, checkPids=True)
        if not any(run.isActive() for run in runs):
            return stuck + ["%s: %s %s" % (nameOf(run), run.getStatus(), run.getErrorMessage().strip())
                            for run in runs if not run.isFinished() and not run.isSaved()]
        time.sleep(POLL_S)


def runOneByOne(project: Any, runs: List[Any]) -> List[str]:
    """Run them in this order up to the first failure; what was left out is named too."""
    for number, run in enumerate(runs):
        failed = problems([run])
        if not failed:
            project.scheduleProtocol(run)
            failed = waitForAll(project)
        if failed:
            return failed + ["%s: not started" % nameOf(other) for other in runs[number + 1:]]
    return []


def main(arguments: Optional[List[str]] = None) -> int:
    """Exit code 0; 1 if a run cannot start, or with ``--wait`` did not finish; 2 if there is no such project."""
    parser = argparse.ArgumentParser(prog="pupicker.schedule", description="Start every new run of a Scipion project.")
    parser.add_argument("project", help="name of the project")
    parser.add_argument("--wait", action="store_true", help="return when all runs have ended; 1 if one has failed")
    parser.add_argument("--one-by-one", action="store_true",
                        help="start a run when the one before has ended, for computers with few cores; waits, too")
    args = parser.parse_args(arguments)
    manager = Manager()
    if not manager.hasProject(args.project):
        parser.error("there is no project %r among those of this user: %s"
                     % (args.project, ", ".join(info.getName() for info in manager.listProjects()) or "none"))
    project = manager.loadProject(args.project)
    runs = newRuns(project)
    failed = problems(runs)
    if not failed and args.one_by_one:
        failed = runOneByOne(project, runs)
    elif not failed:
        for run in runs:
            project.scheduleProtocol(run)
        sys.stdout.write("%d runs started\n" % len(runs))
        failed = waitForAll(project) if args.wait else []
    for line in failed:
        sys.stderr.write("pupicker.schedule: error: %s\n" % line)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
