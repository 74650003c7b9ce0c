"""The examples do what they say, with real programs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import mrcfile
import numpy as np
import pytest

from pupicker.engine.files.coordinates import read_coordinates
from pupicker.tests.engine.blobs import GEOMETRY
from pupicker.tests.examples.broker import broker, missing
from pupicker.tests.tiny_model import tiny_model

LONGEST_S = 300


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Two micrographs, one that is cut off, a model."""
    folder = tmp_path_factory.mktemp("scene")
    paths = [folder / "first.mrc", folder / "second.mrc"]
    for number, path in enumerate(paths):
        with mrcfile.new(path) as mrc:
            mrc.set_data(np.random.default_rng(number).normal(size=(160, 160)).astype(np.float32))
            mrc.voxel_size = 1.0
    broken = folder / "broken.mrc"
    broken.write_bytes(paths[0].read_bytes()[:5000])
    return paths, broken, tiny_model(folder / "model.pupicker")


def test_examples_are_thin(examples):
    for program in examples.glob("*.py"):
        text = program.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 80, program
        assert "pupicker.engine" not in text and "pupicker.core" not in text, "they speak the protocol, nothing else"
        assert program.name in (examples / "README.md").read_text(encoding="utf-8")


def finished(examples, environment, *words):
    return subprocess.run([sys.executable, str(examples / "manifest_job.py"), *map(str, words)], env=environment,
                          capture_output=True, text=True, timeout=LONGEST_S)


def test_a_job_of_a_manifest(examples, environment, scene, tmp_path):
    """What can be picked is in the result, the rest is named; a job that cannot be done says why."""
    (first, second), broken, model = scene
    job, result = tmp_path / "job.json", tmp_path / "result.json"
    job.write_text(json.dumps({"id": 7, "micrographs": [str(first), str(broken), str(second)], "model": str(model),
                               "output": str(tmp_path / "picks"), "threshold": -6}))
    ended = finished(examples, environment, job, result)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(result.read_text())
    assert (told["id"], told["status"]) == (7, "completed")
    assert list(told["failed"]) == [str(broken)] and "truncated" in told["failed"][str(broken)]
    for path in (first, second):
        answer = told["micrographs"][str(path)]
        table = read_coordinates(answer["table"])
        assert [one["x"] for one in answer["particles"]] == pytest.approx(table.x, abs=0.01)
        assert answer["particles"] and {one["radius"] for one in answer["particles"]} == {GEOMETRY.diameter_ang / 2}
    job.write_text(json.dumps({"id": 8, "micrographs": [str(first)], "model": str(tmp_path / "none")}))
    assert finished(examples, environment, job, result).returncode == 1
    told = json.loads(result.read_text())
    assert (told["id"], told["status"]) == (8, "failed") and "none" in told["error"]
    for content, words in (([], "a job is an object"), ({"do": "pick"}, "without do"), ({"diameter": "x"}, "diameter")):
        job.write_text(json.dumps({"micrographs": [str(first)], **content} if content else content))
        assert finished(examples, environment, job, result).returncode == 1
        assert words in json.loads(result.read_text())["error"]
    nowhere = finished(examples, environment, job, job / "result.json")
    assert nowhere.returncode == 1 and "cannot be written" in nowhere.stderr and "Traceback" not in nowhere.stderr
    manifest = finished(examples, environment, "--manifest")
    assert json.loads(manifest.stdout)["requires"]["memory_mb"] == 2048


class Queues:
    """What a facility does: puts messages into a queue, takes answers out of others."""

    def __init__(self, url):
        import pika

        self.pika, self.channel = pika, pika.BlockingConnection(pika.URLParameters(url)).channel()
        for name in ("pupicker.pick", "pupicker.done", "pupicker.failed", "mine"):
            self.channel.queue_declare(name, durable=True)

    def put(self, body, **properties):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.channel.basic_publish("", "pupicker.pick", content, self.pika.BasicProperties(**properties))

    def take(self, queue):
        deadline = time.monotonic() + LONGEST_S
        while time.monotonic() < deadline:
            method, properties, body = self.channel.basic_get(queue, auto_ack=True)
            if method is not None:
                return json.loads(body), properties
            time.sleep(0.1)
        raise AssertionError(f"nothing came to {queue}")

    def left(self, queue):
        return self.channel.queue_declare(queue, passive=True).method.message_count


@pytest.mark.slow
def test_micrographs_from_rabbitmq(examples, environment, scene, tmp_path):
    """A real broker: an answer for each message, a queue for what cannot be used, nothing lost with the program."""
    if missing():
        pytest.skip(f"needs {' and '.join(missing())}")
    (first, second), broken, model = scene

    def started(url):
        words = ["--url", url, "--model", str(model), "--device", "cpu"]
        return subprocess.Popen([sys.executable, str(examples / "rabbitmq_worker.py"), *words], env=environment,
                                start_new_session=True)

    with broker(tmp_path / "broker") as url:
        queues, output = Queues(url), str(tmp_path / "picks")
        queues.put({"id": 1, "micrograph": str(first), "output": output}, correlation_id="one")
        queues.put({"id": 2, "micrograph": str(broken), "output": output})
        queues.put(b"no message")
        queues.put({"id": 3, "micrograph": str(second), "output": output}, reply_to="mine")
        worker = started(url)
        try:
            answer, properties = queues.take("pupicker.done")
            assert (answer["id"], properties.correlation_id) == (1, "one")
            assert len(read_coordinates(answer["table"])) == answer["picks"]
            assert "truncated" in queues.take("pupicker.failed")[0]["error"]
            assert queues.take("pupicker.failed")[0]["message"] == "no message"
            assert queues.take("mine")[0]["id"] == 3
            for number in range(4, 8):
                queues.put({"id": number, "micrograph": str(first), "output": output})
            seen = [queues.take("pupicker.done")[0]["id"]]
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
            worker = started(url)
            while set(seen) != {4, 5, 6, 7}:
                seen.append(queues.take("pupicker.done")[0]["id"])
            assert len(seen) <= 5, "only what was in the hands of the dead one is answered twice"
            assert queues.left("pupicker.pick") == 0
        finally:
            worker.kill()
            worker.wait()
