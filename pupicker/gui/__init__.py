"""Windows of the plugin (tk): a canvas that shows a micrograph, and dialogs around it.

In the order of use: ``micrograph_image`` (pixels for the eye), ``micrograph_canvas``, ``micrograph_dialog``, and on it
``diameter_dialog``, ``prior_dialog``, ``detection_dialog``.
"""
