"""Picks micrographs that a RabbitMQ hands out: one message a micrograph, one answer each.

    python examples/rabbitmq_worker.py --model model.pupicker --url amqp://guest:guest@localhost/

A message is JSON: ``{"micrograph": "/data/a.mrc", "output": "/data/picks"}``; other fields of the request ``pick`` of
``pupicker serve`` (docs/serve.md) may follow, and ``id`` comes back.  The answer goes to the queue that the message
names as ``reply_to``, else to ``pupicker.done``.  What cannot be used, a bad message as well as a bad micrograph, goes
to ``pupicker.failed`` with the reason.  A message counts as done when its answer is sent: if this program dies,
RabbitMQ hands it out again, and the same table is written again.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import pika

from pupicker.shared.worker import Worker, WorkerDied, WorkerError

TRIES = 2


def pick(worker: Worker, message: dict[str, Any]) -> dict[str, Any]:
    """The answer for one micrograph; WorkerError with one line if there is none."""
    fields = {name: value for name, value in message.items() if name not in ("id", "micrograph")}
    told: list[dict[str, Any]] = []
    for left in reversed(range(TRIES)):
        try:
            worker.ask("pick", told.append, micrographs=[message["micrograph"]], **fields)
            break
        except WorkerDied:
            if not left:
                raise
    answer = told[-1]
    if answer["event"] == "quarantined":
        raise WorkerError(answer["reason"])
    return answer


def answered(worker: Worker, body: bytes) -> tuple[str, dict[str, Any]]:
    """Queue and content of the answer to a message."""
    message: Any = None
    try:
        message = json.loads(body)
        if not isinstance(message, dict) or not isinstance(message.get("micrograph"), str):
            raise ValueError('give an object with "micrograph"')
        return "pupicker.done", {**pick(worker, message), "id": message.get("id")}
    except (ValueError, TypeError, WorkerError) as error:
        shown = message if isinstance(message, dict) else {"message": body.decode("utf-8", "replace")}
        return "pupicker.failed", {**shown, "error": str(error)}


def main() -> None:
    """Work until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--url", default="amqp://guest:guest@localhost/")
    parser.add_argument("--queue", default="pupicker.pick")
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    where = pika.URLParameters(args.url)
    where.heartbeat = 0  # it would be answered between two messages only, and a long picking look like a death
    channel = pika.BlockingConnection(where).channel()
    for name in (args.queue, "pupicker.done", "pupicker.failed"):
        channel.queue_declare(name, durable=True)
    channel.basic_qos(prefetch_count=1)
    with Worker(["pupicker", "serve", "--model", args.model, "--device", args.device]) as worker:
        worker.start()  # if it cannot, no message is taken
        for method, properties, body in channel.consume(args.queue):
            queue, answer = answered(worker, body)
            done = properties.reply_to if queue == "pupicker.done" and properties.reply_to else queue
            kept = pika.BasicProperties(delivery_mode=2, correlation_id=properties.correlation_id)
            channel.basic_publish("", done, json.dumps(answer).encode(), kept)
            channel.basic_ack(method.delivery_tag)


if __name__ == "__main__":
    main()
