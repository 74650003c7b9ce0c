"""Opens the project window and the form of each protocol, and takes a picture of every form.

    xvfb-run python -m pupicker.tests.protocols.gui_driver PROJECT OUTPUT_FOLDER CLASS...

A program of its own because the main loop of Tk does not return; the environment is that of a prepared Scipion.
"""

from __future__ import annotations

import os
import subprocess
import sys
import traceback


def main():
    project, folder, names = sys.argv[1], sys.argv[2], sys.argv[3:]
    import pyworkflow as pw
    from pyworkflow.gui.project import ProjectWindow  # before gui.form: the two import each other

    from pyworkflow.gui.form import FormWindow  # isort: skip

    protocols = pw.Config.getDomain().getProtocols()
    window = ProjectWindow(project)
    todo = list(names)

    def guarded(action):
        def run():
            try:
                action()
            except Exception:
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(1)
        return run

    def open_next():
        if not todo:
            sys.stdout.flush()
            os._exit(0)
        name = todo.pop(0)
        form = FormWindow("Protocol Run: " + name, window.project.newProtocol(protocols[name]), lambda *a, **k: "",
                          window)
        form.protocol.expertLevel.set(1)
        form.adjustSize()
        form.root.deiconify()
        form.root.lift()
        form.root.geometry("+40+40")  # there is no window manager
        window.root.after(700, guarded(lambda: take_picture(form, name)))

    def take_picture(form, name):
        form.root.update()
        subprocess.check_call(["import", "-window", "root", os.path.join(folder, name + ".png")])
        form.root.destroy()
        window.root.after(100, guarded(open_next))

    window.root.after(1500, guarded(open_next))
    window.root.after(90000, lambda: os._exit(3))
    window.show()


if __name__ == "__main__":
    main()
