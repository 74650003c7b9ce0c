"""Tables of what is weaker than a pick, beside the picks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from pupicker.engine.files.coordinates import Layout, format_to_write
from pupicker.engine.files.names import distinct_stems
from pupicker.engine.picking.picker import MicrographPicker, Picked
from pupicker.shared.choices import LOWEST_CANDIDATE


class WeakerPicks:
    """Tables that also hold what is weaker than a pick, so that a threshold can be lowered without picking again.

    Parameters
    ----------
    folder
        For one table (.tsv) a micrograph; None: none are wanted.
    paths
        Micrographs.
    """

    def __init__(self, folder: Path | None, paths: Sequence[Path]) -> None:
        stems = {} if folder is None else distinct_stems(map(str, paths))
        self._targets = {name: Path(folder or "") / f"{stem}.tsv" for name, stem in stems.items()}

    @contextmanager
    def found(self, picker: MicrographPicker) -> Iterator[float]:
        """Yield the threshold; while the block runs the picker finds weaker picks too if they are wanted."""
        threshold = picker.threshold
        if self._targets:
            picker.threshold = min(threshold, LOWEST_CANDIDATE)
        try:
            yield threshold
        finally:
            picker.threshold = threshold

    def cut(self, found: Picked, threshold: float, box_size_px: int) -> Picked:
        """Write all that was found; what is left are the picks."""
        if not self._targets:
            return found
        target, table = self._targets[str(found.path)], found.table
        format_to_write(target).write(target, table, Layout(box_size_px))
        return replace(found, table=table.select(np.asarray(table.score) >= threshold))
