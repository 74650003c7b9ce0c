"""Dialogs of the plugin, which help to fill a form.

In the order of use: ``micrograph_reader`` (any format of Scipion), ``micrograph_dialog`` (a list, and one of them), and
on it ``diameter_dialog``, ``prior_dialog``, ``detection_dialog``; ``label_dialog`` (the window that labels).
"""
