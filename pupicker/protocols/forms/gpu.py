"""Whether and on which GPU a run computes."""

from __future__ import annotations

from typing import Any, List

from pyworkflow.protocol import params

from pupicker.plugin.plugin import Plugin
from pupicker.protocols.forms.run import Run


class GpuForm(Run):
    """Mix-in before a protocol class."""

    def _defineGpuParams(self, form: Any) -> None:
        form.addHidden(params.USE_GPU, params.BooleanParam, default=Plugin.usesGpuByDefault(), label="Use GPU?",
                       help="Yes: runs on the GPU given by its number, and fails if there is none. No: runs on the "
                            "processor; training takes a minute or two, picking about a second a micrograph. Choose No "
                            "if others need the GPU: the accuracy is the same.")
        form.addHidden(params.GPU_LIST, params.StringParam, default="0", label="Choose GPU IDs",
                       help="Numbers of the GPUs as nvidia-smi lists them, e.g. 0 or 0,1. One process uses one GPU: "
                            "training takes the first; picking runs as many batches at once as there are GPUs, if "
                            "the number of Scipion threads is one more than that. Change it where others use GPU 0.")

    def _warnGpu(self) -> List[str]:
        """Whether a GPU is asked for that this machine has not; the run may be meant for another one."""
        if not self.usesGpu() or self.useQueue() or Plugin.hasGpu():
            return []
        return ["There is no GPU on this machine: choose No beside 'GPU IDs' unless the run goes to another one."]

    def getGpuList(self) -> List[int]:
        """GPUs for which Scipion keeps slots; none on the processor, where steps must not wait for one."""
        return super().getGpuList() if self.usesGpu() else []
