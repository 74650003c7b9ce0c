"""The client of a process that stays: what goes through its two pipes."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from pupicker.shared.worker import PROTOCOL_VERSION, Worker, WorkerDied

SOON_S = 60.0

TALKS = """
import json, sys
def say(**answer):
    print(json.dumps(answer), flush=True)
say(event="ready", protocol=int(sys.argv[1]))
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "stop":
        break
    for number in range(request.get("answers", 0)):
        say(id=request["id"], event="progress", text="x" * 1000)
    say(id=request["id"], event="result")
"""

DEAF = """
import json, sys, time
print(json.dumps({"event": "ready", "protocol": int(sys.argv[1])}), flush=True)
time.sleep(600)
"""

LONG = "x" * 400_000
"""More than a pipe holds."""


@pytest.fixture
def started():
    """Start such a process; whatever became of it, it is gone at the end."""
    workers = []

    def start(program):
        workers.append(Worker([sys.executable, "-c", program, str(PROTOCOL_VERSION)], log=subprocess.DEVNULL))
        workers[-1].start()
        return workers[-1]

    yield start
    for worker in workers:
        if worker.is_running():
            worker._process.child.kill()


def in_thread(function, *arguments, **fields):
    thread = threading.Thread(target=function, args=arguments, kwargs=fields, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.write_text("text"), lambda path: path.mkdir()])
def test_a_program_that_cannot_be_run_is_a_process_that_has_died(tmp_path, make):
    path = tmp_path / "python"
    make(path)
    worker = Worker([str(path), "serve"])
    for call in (worker.start, lambda: worker.ask("info"), lambda: worker.send("info")):
        with pytest.raises(WorkerDied, match=f"does not start: {path}: ") as error:
            call()
        assert "\n" not in str(error.value)
    worker.close()


def test_a_request_that_fills_the_pipe_stops_no_answers(started):
    """The process says a lot before it reads on; answers have to be taken meanwhile."""
    worker, tickets = started(TALKS), []
    tickets.append(worker.send("talk", answers=300))
    sending = in_thread(lambda: tickets.append(worker.send("talk", text=LONG)))
    sending.join(SOON_S)
    assert not sending.is_alive()
    for ticket in tickets:
        while ticket.last is None:
            assert ticket.wait(SOON_S) is not None
        assert ticket.last["event"] == "result"
    worker.close()
    assert not worker.is_running()


def test_requests_from_several_threads_stay_whole(started):
    worker, answers = started(TALKS), []
    threads = [in_thread(lambda: answers.append(worker.ask("talk", text=LONG, answers=3))) for _ in range(5)]
    for thread in threads:
        thread.join(SOON_S)
    assert sorted(answer["id"] for answer in answers) == [1, 2, 3, 4, 5]
    worker.close()


def test_a_process_that_reads_nothing_can_be_ended(started):
    """While another thread waits to be heard; that one gets an answer too."""
    worker, answers = started(DEAF), []
    sending = in_thread(lambda: answers.append(worker.send("talk", text=LONG).wait(SOON_S)))
    sending.join(0.5)
    assert sending.is_alive()
    ending = in_thread(worker.close, 0.1)
    ending.join(SOON_S)
    sending.join(SOON_S)
    assert not ending.is_alive() and not worker.is_running()
    assert [answer["event"] for answer in answers] == ["died"]
