"""What is loaded: models and what picks with them, the last ones used."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar

import torch

from pupicker.core.geometry import Geometry
from pupicker.core.networks import DEFAULT_NETWORK, NETWORKS
from pupicker.engine.models.library import model_file
from pupicker.engine.models.model_file import Model, load_model
from pupicker.engine.picking.general_picker import GeneralPicker
from pupicker.engine.picking.picker import MicrographPicker, Picker, PickingOptions
from pupicker.engine.preparation.exclusion import exclusion_for
from pupicker.engine.preparation.task_geometry import first_geometry
from pupicker.engine.runtime.errors import UsageError
from pupicker.engine.runtime.run_report import Report
from pupicker.engine.serving.turns import Turns
from pupicker.shared.digests import file_state

MOST = 4
"""So many models, and so many pickers, stay; more are loaded again when they are asked for."""

T = TypeVar("T")


class Pickers:
    """Models and pickers by what was asked.

    Parameters
    ----------
    device
        Where networks run.
    model
        File, or name in the library, that is meant where none is named.
    turns
        With a training of the same process.
    """

    def __init__(self, device: torch.device, model: Path | None, turns: Turns) -> None:
        self.device, self._model, self._turns = device, model, turns
        self._models: OrderedDict[Hashable, Model] = OrderedDict()
        self._pickers: OrderedDict[Hashable, MicrographPicker] = OrderedDict()

    def model(self, path: str | None) -> Model:
        """Of this file or name in the library, or of the process; read again when the file has changed.

        Raises
        ------
        UsageError, InputError
            None is named; it cannot be used.
        """
        chosen = self._chosen(path)
        return self._kept(self._models, self._of_file(chosen), lambda: load_model(chosen))

    def _chosen(self, path: str | None) -> Path:
        given = path or self._model
        if given is None:
            raise UsageError("no model: name one in the request, or start the process with one", "model")
        return model_file(given)

    def loaded(self) -> list[str]:
        """Files of the models, the last used last."""
        return [str(key[0]) for key in self._models if isinstance(key, tuple)]

    def for_pick(self, values: dict[str, Any], paths: list[Path]) -> Picker:
        """Picks with a model, as the fields of a request ``pick`` say."""
        model, file = self.model(values["model"]), self._of_file(self._chosen(values["model"]))
        exclusion = self._exclusion(values, model.exclusion, paths)

        def make() -> Picker:
            return Picker(model, self.device, PickingOptions(
                values["threshold"], values["min_distance"], values["pixel_size"], values["keep_borders"],
                values["score_sd"], exclusion))

        picker = self._kept(self._pickers, None if exclusion.masks else (file, *_key(values)), make)
        assert isinstance(picker, Picker)
        return picker

    def for_suggest(self, values: dict[str, Any], paths: list[Path], report: Report) -> MicrographPicker:
        """Picks with the general model, as the fields of a request ``suggest`` say."""
        wide = NETWORKS[DEFAULT_NETWORK].particle_px()
        geometry, _ = first_geometry(paths, values["pixel_size"], values["diameter"], wide, report=report)
        exclusion = self._exclusion(values, {"contamination": True}, paths)

        def make() -> MicrographPicker:
            return self._general(geometry, values, exclusion)

        key = None if exclusion.masks else (geometry.working_pixel_size_ang, geometry.min_distance_ang, *_key(values))
        return self._kept(self._pickers, key, make)

    def _general(self, geometry: Geometry, values: dict[str, Any], exclusion: Any) -> MicrographPicker:
        chosen = PickingOptions(values["threshold"], values["min_distance"], values["pixel_size"],
                                values["keep_borders"], exclusion=exclusion)
        return GeneralPicker(geometry, self.device, chosen, values["bright"])

    def _exclusion(self, values: dict[str, Any], stored: dict[str, Any] | None, paths: list[Path]) -> Any:
        masks = Path(values["masks"]) if values["masks"] else None
        return exclusion_for(stored, values["margin"], masks, values["exclude_contamination"], paths)

    def _kept(self, shelf: OrderedDict[Hashable, T], key: Hashable, make: Callable[[], T]) -> T:
        """What was made before for the key; made now if it was not, or if there is no key."""
        if key is not None and key in shelf:
            shelf.move_to_end(key)
            return shelf[key]
        with self._turns.alone(), torch.random.fork_rng(devices=[]):
            made = make()
        if key is not None:
            shelf[key] = made
            if len(shelf) > MOST:
                shelf.popitem(last=False)
        return made

    @staticmethod
    def _of_file(path: Path) -> tuple[str, tuple[int, ...]]:
        return str(path), tuple(file_state(str(path)))


def _key(values: dict[str, Any]) -> tuple[Hashable, ...]:
    """What decides which picks come out, but for the files."""
    left_out = ("micrographs", "places", "output", "candidates", "format", "coordinates", "masks", "model")
    return tuple((name, value) for name, value in sorted(values.items()) if name not in left_out)
