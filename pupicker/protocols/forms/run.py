"""What a mix-in may ask of the protocol of Scipion into which it is mixed.

Scipion has no types: without a declaration the type checker takes everything of a protocol for right, and a mix-in,
which has no protocol among its own base classes, for wrong.  At run time :class:`Run` is empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterator, List, Protocol, Set, Tuple


class Value(Protocol):
    """A parameter of a form, or another value that Scipion stores with a run."""

    def get(self) -> Any: ...

    def set(self, value: Any) -> None: ...

    def hasValue(self) -> bool: ...


class Counter(Value, Protocol):
    """A number that Scipion stores with a run."""

    def increment(self) -> None: ...

    def sum(self, other: float) -> None: ...


class Run:
    """Base of the mix-ins."""

    if TYPE_CHECKING:
        _stepsExecutor: Any
        numberOfThreads: Value

        # ------------------------- form -------------------------
        def getParam(self, name: str) -> Any: ...

        # ------------------------- steps -------------------------
        def runJob(self, program: str, arguments: str, **kwargs: Any) -> None: ...

        def getBinThreads(self) -> int: ...

        def getGpuList(self) -> List[int]: ...

        def usesGpu(self) -> bool: ...

        def useQueue(self) -> bool: ...

        def warning(self, message: str) -> None: ...

        # ------------------------- state -------------------------
        def hasObjId(self) -> bool: ...

        def isActive(self) -> bool: ...

        def _store(self, *objects: Any) -> None: ...

        def iterOutputAttributes(self, kind: Any) -> Iterator[Tuple[str, Any]]: ...

        def _updateOutputSet(self, name: str, output: Any, state: int) -> None: ...

        def _getExtraPath(self, *names: str) -> str: ...


class PickingRun(Run):
    """Base of the mix-ins of a picking in streaming."""

    if TYPE_CHECKING:
        inputMicrographs: Value
        streamingBatchSize: Value

        def getInputMicrographs(self) -> Any: ...

        def getInputMicrographsPointer(self) -> Any: ...

        def _defineStreamingParams(self, form: Any) -> None: ...

        def _readDoneList(self) -> Set[int]: ...

        def _getAllDone(self) -> str: ...

        def _getMicDone(self, mic: Any) -> str: ...
