"""Scipion's side of the wall to the core.

In the order of use: ``plugin`` (variables, interpreter, installation), ``interpreter`` (what an environment holds),
``child_process`` (processes of the core for a window), ``workers`` (those that pick for a run), ``outcome`` (how one
ended).
"""

from pupicker.plugin.plugin import Plugin

__all__ = ["Plugin"]
