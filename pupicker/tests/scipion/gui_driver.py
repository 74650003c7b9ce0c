"""Opens the project window and the form of each protocol, and takes a picture of every form,
without and with its expert fields.

    xvfb-run python -m pupicker.tests.scipion.gui_driver PROJECT OUTPUT_FOLDER CLASS...

A program of its own because the main loop of Tk does not return; the environment is that of a prepared Scipion.
"""

from __future__ import annotations

import os
import sys

from pupicker.tests.scipion.screen import drive, photograph, settle


def main():
    project, folder, names = sys.argv[1], sys.argv[2], sys.argv[3:]
    import pyworkflow as pw
    from pyworkflow.gui.project import ProjectWindow  # before gui.form: the two import each other

    from pyworkflow.gui.form import FormWindow  # isort: skip
    from pyworkflow.protocol import LEVEL_ADVANCED, LEVEL_NORMAL

    protocols = pw.Config.getDomain().getProtocols()
    window = ProjectWindow(project)

    def take_pictures():
        for name in names:
            for level, suffix in ((LEVEL_NORMAL, ""), (LEVEL_ADVANCED, "_expert")):
                form = FormWindow("Protocol Run: " + name,
                                  window.project.newProtocol(protocols[name], expertLevel=level),
                                  lambda *a, **k: "", window)
                form.adjustSize()
                form.root.deiconify()
                form.root.lift()
                form.root.geometry("+40+40")  # there is no window manager
                settle(form.root)
                photograph(form.root, os.path.join(folder, name + suffix + ".png"))
                form.root.destroy()

    drive(window, take_pictures, 180)


if __name__ == "__main__":
    main()
