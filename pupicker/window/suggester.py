"""Behind the window that labels: suggestions of the general model, then of models that learn from the labels.

One process of the core (docs/serve.md) is asked and answers when it has found something; the window looks now and then
what has come (:meth:`Suggester.poll`) and never waits.
"""

from __future__ import annotations

import os
import re
import threading
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from pupicker.shared.digests import file_digest
from pupicker.shared.json_files import read_json, write_json
from pupicker.shared.model_header import average_precision, facts, read_header
from pupicker.shared.plurals import counted
from pupicker.shared.worker import WorkerError
from pupicker.window.label_record import NOT_PARTICLES, LabelRecord

LOWEST_GENERAL, LOWEST_SCORE = -12.0, -6.0  # of suggestions: of the general model, of one that was trained
AHEAD = 6  # micrographs after the shown one for which suggestions are made when there is nothing else to do
FEWEST_LABELS = 5  # to train with
SETTLE_S = 0.8  # after the diameter has changed, before suggestions are asked for it
IDLE_S = 6.0  # without a click, and the model is trained anew
NEW_LABELS = 5  # that must have come since the last training
MODEL_CARD = "model.json"  # of the last model, in the folder
TRAINED_WITH, DIGEST, NUMBER = "trained_with", "labels_digest", "number"  # in it: labels of the training, of the models
UPDATES = 25  # of a training between clicks: it goes on where the last one ended


class LabelMicrograph(NamedTuple):
    """A micrograph of the list: `key` names it in the labels, `path` is the file that the core reads."""

    key: str
    name: str
    path: str
    pixelSizeAng: float


class Suggestions(NamedTuple):
    """What a model finds on a micrograph: lists of one length, best first; scores are log-odds of the general model or
    log-likelihood ratios of a trained one.
    """

    x: List[float]
    y: List[float]
    score: List[float]
    nullLevel: Optional[float]  # what the network says of nothing: it tells thick ice from thin
    model: str  # "": the general one


class Suggester:
    """Asks the core for suggestions and trainings, one thing at a time.

    Parameters
    ----------
    worker
        Client of ``pupicker serve``; started here, in a thread.
    record
        The labels.
    micrographs
        The list.
    folder
        For the models; the last one is found there again.
    first
        Card of a model, with its ``path``, that suggests until one has learnt from the labels, and from which that one
        starts; empty: the general one.

    Attributes
    ----------
    state
        What is being done, in words.
    error
        Why the last request failed; empty if it did not.
    model, threshold, averagePrecision
        The last model that was trained, or the first one (its file; empty: the general one), its suggested threshold,
        and how good it is on labels that it had not seen (None: not known).
    trained
        Number of the last model that was trained on the labels; 0: none yet.
    """

    def __init__(self, worker: Any, record: LabelRecord, micrographs: Sequence[LabelMicrograph], folder: str,
                 first: Optional[Dict[str, Any]] = None) -> None:
        self._worker, self._record, self._folder = worker, record, folder
        self._micrographs = list(micrographs)
        self._byPath = {one.path: one for one in micrographs}
        self.state, self.error = "starting ...", ""
        self.model, self.threshold = "", 0.0
        self.averagePrecision: Optional[float] = None
        self.known: Dict[str, Suggestions] = {}
        self._asked: Any = None  # ticket of suggestions, and for which micrograph
        self._askedKey = ""
        self._failed: Dict[str, str] = {}  # why there are no suggestions, by micrograph
        self._training: Any = None
        self._progress = ""
        self._wanted = False  # a training, by the user
        self._trainedWith = 0  # labels and places that are none of the last training
        self._since, self._settled = time.monotonic(), 0.0
        self.trained = 0  # models, so far
        self._network: Dict[str, Any] = {}  # of the model, where it is known
        self._takeUp(first or {})
        card = read_json(os.path.join(folder, MODEL_CARD))
        self._takeUp(card, trained=True)
        if self.trained:  # it is trained again once labels have come, not because the window was opened
            self._trainedWith = int(card.get(TRAINED_WITH, self.labels()))
        self._starting = threading.Thread(target=self._start, daemon=True)
        self._starting.start()

    # ------------------------- for the window -------------------------
    def touched(self) -> None:
        """The user has changed something."""
        self._since = time.monotonic()

    def labels(self) -> int:
        """Labels and places that are none, all together."""
        return self._record.number() + self._record.number(NOT_PARTICLES)

    def canTrain(self) -> bool:
        """Whether there is enough, and nothing is trained."""
        return self._record.number() >= FEWEST_LABELS and self._training is None and not self._starting.is_alive()

    def failure(self, key: str) -> str:
        """Why there are no suggestions on a micrograph; empty if there are, or may be yet."""
        return self._failed.get(key, "")

    def isTraining(self) -> bool:
        return self._training is not None

    def diameterChanged(self) -> None:
        """Suggestions were for another diameter."""
        if not self.model:
            self._settled = time.monotonic() + SETTLE_S
            self.forget()

    def forget(self) -> None:
        """Suggest anew."""
        self.known.clear()
        self._failed.clear()
        if self._asked is not None:
            self._worker.cancel(self._asked)
            self._asked = None

    def poll(self, shownKey: str) -> bool:
        """Take what has come and ask for what is missing, first for the micrograph that is shown; whether there is
        something new to show.
        """
        if self._starting.is_alive():
            return False
        if not self._worker.is_running() and self.error:
            self.state = "no suggestions"
            return False
        try:
            return self._work(shownKey)
        except (WorkerError, OSError) as error:  # it died and does not start again, or the disk is full
            self.error, self._asked, self._training = str(error), None, None
            return True  # what had come before may be new

    def _work(self, shownKey: str) -> bool:
        new = self._takeTraining()
        new = self._takeSuggestions() or new
        idle = time.monotonic() - self._since
        due = idle > IDLE_S and self.labels() >= self._trainedWith + NEW_LABELS
        if self.canTrain() and (due or self._wanted):
            self.train()
        if self._asked is None and time.monotonic() > self._settled:
            self._ask(shownKey)
        self.state = self._progress if self._training is not None else (
            "looking for suggestions ..." if self._asked is not None else "")
        return new

    def train(self, now: bool = False) -> None:
        """Train with the labels so far, from the last model on, in the background; `now`: with the next poll."""
        if now:
            self._wanted = True
            return
        self._wanted = False
        labels = {self._pathOf(key): points for key, points in self._record.labelled().items() if self._pathOf(key)}
        if not labels:
            return
        negatives = {self._pathOf(key): points for key, points in self._record.labelled(NOT_PARTICLES).items()
                     if self._pathOf(key)}
        rest = [path for path in negatives if path not in labels]
        self._trainedWith = self.labels()
        self._progress, self.error = "training: reading micrographs ...", ""
        self._training = self._worker.send(
            "train", micrographs=list(labels) + rest, labels=_asLists(labels), negatives=_asLists(negatives) or None,
            output=os.path.join(self._folder, modelName(self.trained + 1)),
            diameter=self._record.diameterAng,
            pixel_size=self._micrographs[0].pixelSizeAng, updates=UPDATES, refit=False,
            start=self.model or "general", **self._network)

    def mostUseful(self) -> str:
        """Key of the micrograph whose labels would help most: the one with the most doubtful suggestions, or with ice
        unlike that of the others; empty if nothing is known.
        """
        values = {key: self.usefulness(key) for key in self.known if not self._record.places(key)}
        return max(values, key=lambda key: values[key]) if values else ""

    def usefulness(self, key: str) -> float:
        """How much labels there would help, for comparison with other micrographs: 0 to about 2."""
        found = self.known.get(key)
        if found is None or not found.score:
            return 0.0
        near = sum(abs(score - self.threshold) < 1.0 for score in found.score)
        doubtful = near / max(1, sum(score > self.threshold - 1.0 for score in found.score))
        levels = sorted(some.nullLevel for some in self.known.values() if some.nullLevel is not None)
        if found.nullLevel is None or len(levels) < 3:
            return doubtful
        middle = levels[len(levels) // 2]
        spread = max(abs(levels[-1] - middle), abs(levels[0] - middle)) or 1.0
        return doubtful + abs(found.nullLevel - middle) / spread

    def close(self) -> None:
        """End the process."""
        self._worker.close(1.0)

    # ------------------------- the process -------------------------
    def _start(self) -> None:
        try:
            self._worker.start()
            self.state = ""
        except Exception as error:  # whatever it is, the window says it
            self.error = str(error)

    def _pathOf(self, key: str) -> str:
        return next((one.path for one in self._micrographs if one.key == key), "")

    def _ask(self, shownKey: str) -> None:
        """Ask for the suggestions that are needed next."""
        keys = [one.key for one in self._micrographs]
        place = keys.index(shownKey) if shownKey in keys else 0
        wanted = keys[place:place + 1] if self._training is not None else keys[place:place + 1 + AHEAD]
        missing = [key for key in wanted if key not in self.known and key not in self._failed]
        if not missing or not self._record.diameterAng:
            return
        one = self._micrographs[keys.index(missing[0])]
        fields: Dict[str, Any] = {"micrographs": [one.path], "pixel_size": one.pixelSizeAng}
        if self.model:
            self._asked = self._worker.send("pick", model=self.model, threshold=LOWEST_SCORE, **fields)
        else:
            self._asked = self._worker.send("suggest", diameter=self._record.diameterAng, threshold=LOWEST_GENERAL,
                                            **fields)
        self._askedKey = one.key

    def _takeSuggestions(self) -> bool:
        if self._asked is None:
            return False
        new = False
        for answer in self._asked.poll():
            if answer["event"] == "micrograph":
                order = sorted(range(len(answer["x"])), key=lambda i: -answer["score"][i])
                x, y, score = ([answer[name][i] for i in order] for name in ("x", "y", "score"))
                self.known[self._askedKey] = Suggestions(x, y, score, answer.get("null_level"), self.model)
                new = True
            elif answer["event"] == "died":
                self.error = str(answer["error"])
            elif answer["event"] in ("error", "quarantined"):
                self._failed.setdefault(self._askedKey, str(answer.get("reason") or answer.get("error")))
        if self._asked.last is not None:
            if self._askedKey not in self.known:
                self._failed.setdefault(self._askedKey, "")
            self._asked = None
        return new

    def _takeTraining(self) -> bool:
        if self._training is None:
            return False
        for answer in self._training.poll():
            if answer["event"] == "progress" and answer.get("updates_total"):
                self._progress = "training: %d of %s" % (answer["updates"], counted(answer["updates_total"], "update"))
            elif answer["event"] in ("error", "died"):
                self.error = str(answer["error"])
            elif answer["event"] == "result":
                self._training = None
                self._takeUp(dict(answer["card"], path=answer["model"]), trained=True)
                self.forget()
                write_json(os.path.join(self._folder, MODEL_CARD), dict(
                    answer["card"], path=answer["model"], **{TRAINED_WITH: self._trainedWith}))
                return True
        if self._training is not None and self._training.last is not None:
            self._training = None
        return False

    def _takeUp(self, card: Dict[str, Any], trained: bool = False) -> None:
        """Go on with a model; `trained`: on the labels."""
        if card.get("path") and os.path.exists(card["path"]):
            self.model, self.threshold = str(card["path"]), float(card.get("suggested_threshold") or 0.0)
            self._network = {name: card[name] for name in ("network", "network_settings") if card.get(name)}
            self.averagePrecision = None
            if trained:
                self.trained = modelNumber(card)
                self.averagePrecision = average_precision(card)


def modelName(number: int) -> str:
    """File of a model that was trained on the labels."""
    return "model_%03d.pupicker" % number


def modelNumber(card: Dict[str, Any]) -> int:
    """How many models were trained on the labels up to the one of a card; 0: there is none."""
    found = re.search(r"_(\d+)\.pupicker$", card.get("path", ""))
    return int(found.group(1)) if found else int(card.get(NUMBER, bool(card.get("path"))))


def wantsWholeTraining(record: LabelRecord, folder: str) -> bool:
    """Whether a training to the end is due after *Done*: there are labels for it, and none was on just these."""
    last = read_json(os.path.join(folder, MODEL_CARD))
    return record.number() >= FEWEST_LABELS and last.get(DIGEST) != file_digest(record.path)


def takeWholeTraining(record: LabelRecord, folder: str, model: str, digest: str) -> Dict[str, Any]:
    """The card of a model that was trained to the end on labels with this digest; windows go on with it."""
    number = modelNumber(read_json(os.path.join(folder, MODEL_CARD)))
    card = dict(facts(read_header(model)), path=model, **{
        DIGEST: digest, TRAINED_WITH: record.number() + record.number(NOT_PARTICLES), NUMBER: max(1, number)})
    write_json(os.path.join(folder, MODEL_CARD), card)
    return card


def _asLists(places: Dict[str, Any]) -> Dict[str, List[List[float]]]:
    return {path: [[x, y] for x, y in points] for path, points in places.items()}
