"""What windows are made of, in Scipion and without it (tk, numpy, Pillow): a micrograph with circles, lists, labelling.

In the order of use: ``micrograph_image`` (pixels for the eye), ``scale_bar``, ``micrograph_canvas``, ``tooltip``,
``image_bar`` (contrast and circles), ``micrograph_list``, ``scroll_panel`` (at the side), ``colours``, ``score_bars``,
``radial_average``; ``label_record`` (what was labelled), ``suggester`` (suggestions), ``label_panel``,
``label_window``.
"""
