"""A RabbitMQ of its own on this machine, which ends with the test.  Needs Debian's rabbitmq-server and pika."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from pupicker.tests.ports import free_ports

PROGRAMS = Path("/usr/lib/rabbitmq/bin")  # those of /usr/sbin change the user
SOON_S = 180.0


def missing() -> list[str]:
    """What is not installed."""
    server = [] if (PROGRAMS / "rabbitmq-server").exists() and shutil.which("epmd") else ["rabbitmq-server"]
    return server + ([] if importlib.util.find_spec("pika") else ["pika"])


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """Yield the URL of a RabbitMQ that keeps all it has in a folder and listens on the loopback interface only."""
    port, distribution, names = free_ports(3)
    folder.mkdir()
    loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
    environment = {
        **os.environ, "HOME": str(folder), "RABBITMQ_NODENAME": f"pupicker{port}@localhost",
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"), "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"), "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port), "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": loopback, "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(folder / "none"), "RABBITMQ_CONF_ENV_FILE": str(folder / "none.conf"),
        "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(names)}
    with open(folder / "output", "wb") as log:
        server = subprocess.Popen([str(PROGRAMS / "rabbitmq-server")], env=environment, stdin=subprocess.DEVNULL,
                                  stdout=log, stderr=log, start_new_session=True)
    try:
        url = f"amqp://guest:guest@127.0.0.1:{port}/"
        _wait(server, url, folder / "output")
        yield url
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        subprocess.run(["epmd", "-port", str(names), "-kill"], env=environment, capture_output=True)


def _wait(server: Any, url: str, log: Path) -> None:
    import pika

    deadline = time.monotonic() + SOON_S
    while True:
        try:
            with closing(pika.BlockingConnection(pika.URLParameters(url))):
                return
        except pika.exceptions.AMQPError:
            assert server.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.5)
