"""What a set of picks was made with: the runs before it, as far as a picking."""

from __future__ import annotations

from typing import Any, Iterator

from pupicker.shared.model_header import ModelError

MOST_STEPS_BACK = 20  # from a set that was cut several times to the picking


def runsBefore(run: Any) -> Iterator[Any]:
    """The run, and those whose coordinates it took, one after another."""
    for _ in range(MOST_STEPS_BACK):
        if run is None:
            return
        yield run
        pointer = getattr(run, "inputCoordinates", None)
        run = pointer.getObjValue() if pointer is not None and pointer.hasExtended() else None


def modelOf(run: Any) -> Any:
    """The model that the picks of a run were made with; None: none, or it is not known."""
    for one in runsBefore(run):
        if hasattr(one, "getPickingModel"):  # it has several
            return one.getPickingModel()
        model = _ownModel(one)
        if model is not None:
            return model
    return None


def _ownModel(run: Any) -> Any:
    """The model that a run itself was given; None: none, or it is gone."""
    if not getattr(run, "_modelPicks", True):
        return None
    if hasattr(run, "getModel"):
        try:
            return run.getModel()
        except ModelError:
            return None
    pointer = getattr(run, "inputModel", None)
    return None if pointer is None else pointer.get()


def diameterOf(run: Any) -> float:
    """Diameter in Å of the particles that a run picked; 0: it is not known."""
    for one in runsBefore(run):
        model = modelOf(one)
        if model is not None:
            return float(model.getDiameterAng() or 0)
        if getattr(one, "diameter", None) is not None:
            return float(one.diameter.get() or 0)
    return 0.0
