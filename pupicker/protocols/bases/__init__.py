"""What protocols share, below each of them.

``protocol_base``: the process of the core, links to micrographs, quarantine; ``progress_text``; ``learning_base``:
labels in, options of a training; ``picking_state``: what a picking knows of its earlier starts; ``many_micrographs``:
what the host does for all micrographs, for the new ones; ``picking_base``: batches in streaming; ``served_picking``:
with a process that keeps its network; ``versions``: models that are trained while it picks.
"""
