"""Streaming over many micrographs: what the host does anew at each look for all of them, done for the new ones only.

The host reads the whole input set whenever it has changed, writes all steps whenever one is new, and searches a list of
all finished micrographs for each of them.  With 20,000 micrographs each of these takes longer than picking one.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Dict, List, Optional, Set, Tuple

from pwem.objects import SetOfMicrographs
from pwem.protocols import ProtParticlePickingAuto


class ManyMicrographs(ProtParticlePickingAuto):
    """Base of a picking in streaming; does what its base class does, in less time."""

    _label: Optional[str] = None  # Scipion shows no protocol without one
    micDict: Dict[str, Any]
    _steps: List[Any]
    _stepsSet: Any
    _known: Tuple[int, int]  # number and largest id of the micrographs that were read

    def _loadMics(self, micSet: Any) -> Tuple[Any, bool]:
        """Micrographs that are not known yet, by name, and whether the set is closed.

        New ones have larger ids than those before.  Where the number says that some have not, all are read.
        """
        number, largest = getattr(self, "_known", (0, 0))
        fresh = SetOfMicrographs(filename=micSet.getFileName())
        fresh.loadAllProperties()
        size, found, ids = fresh.getSize(), OrderedDict(), []
        for mic in fresh.iterItems(where="id>%d" % largest):
            ids.append(mic.getObjId())
            found[mic.getMicName()] = mic.clone()
        closed = fresh.isStreamClosed()
        fresh.close()
        if number + len(ids) != size:
            self._known = (0, 0)
            return ProtParticlePickingAuto._loadMics(self, micSet)
        self._known = (size, max([largest, *ids]))
        return OrderedDict((name, mic) for name, mic in found.items() if name not in self.micDict), closed

    def updateSteps(self) -> None:
        """Store the steps that are new, and the last one of all, which waits for them."""
        for step in self._steps[self._stepsSet.getSize():]:
            step.cleanObjId()
            self._stepsSet.append(step)
        last = self._getFirstJoinStep()
        if last is not None:
            self._stepsSet.update(last)
        self._stepsSet.write()
        self._numberOfSteps.set(len(self._steps))
        self._store(self._numberOfSteps)
        self._newSteps = False

    def _readDoneList(self) -> Set[int]:
        """Micrographs that are in the output; in a set each is found at once."""
        return set(ProtParticlePickingAuto._readDoneList(self))
