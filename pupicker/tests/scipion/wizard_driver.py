"""Opens wizards from forms of a real project, uses them, and writes down what the forms say afterwards.

    xvfb-run python -m pupicker.tests.scipion.wizard_driver PROJECT OUTPUT_FOLDER LABELS MODEL BROKEN [NAME...]

LABELS, MODEL and BROKEN are ids of runs; with names, only these wizards are used.  A program of its own because the
main loop of Tk does not return.  Each dialog blocks the form: what the user does is a
generator that runs beside it and yields the milliseconds until its next action.
"""

from __future__ import annotations

import json
import os
import sys
import time

from pupicker.tests.scipion.screen import drive, guarded, photograph

TIMEOUT = 500  # s for the whole program, on a machine that has other things to do
PICTURE = "picture"


class Driver:

    def __init__(self, project, folder, runs):
        from pyworkflow.gui.project import ProjectWindow  # before gui.form: the two import each other

        self.folder, self.results = folder, {}
        self.window = ProjectWindow(project)
        self.project = self.window.project
        self.runs = {name: self.project.getProtocol(int(runId)) for name, runId in runs.items()}

    def use(self, name, protocolClass, param, actions, links, **values):
        """Open the form, press the wand beside `param`, act in the dialog; note the values of the form."""
        from pyworkflow.gui.form import FormWindow

        protocol = self.project.newProtocol(protocolClass, **values)
        for field, (run, output) in links.items():
            getattr(protocol, field).set(self.runs[run])
            getattr(protocol, field).setExtended(output)
        form = FormWindow("Protocol Run: " + name, protocol, lambda *a, **k: "", self.window)
        form.adjustSize()
        form.root.deiconify()
        form.root.geometry("+40+40")  # there is no window manager
        form.root.update()
        self.window.root.after(300, guarded(lambda: self._wait(form, name, actions)))
        form.widgetDict[param]._showWizard()
        form.root.update()
        self.results.setdefault(name, {}).update(
            {key: form.protocol.getAttributeValue(key) for key, _ in form.protocol.iterDefinitionAttributes()
             if isinstance(form.protocol.getAttributeValue(key), (int, float, str))})
        form.root.destroy()

    def _wait(self, form, name, actions):
        found = [dialog for dialog in dialogs(form.root) if dialog.winfo_viewable()]
        if not found:
            self.window.root.after(100, guarded(lambda: self._wait(form, name, actions)))
            return
        found[-1].geometry("+60+60")
        self._next(actions(found[-1], self.results.setdefault(name, {})), found[-1], name)

    def _next(self, steps, dialog, name):
        pause = next(steps, None)
        if pause == PICTURE:
            photograph(dialog, os.path.join(self.folder, name.replace(" ", "_") + ".png"))
            pause = 10
        if pause is not None:
            self.window.root.after(pause, guarded(lambda: self._next(steps, dialog, name)))


def dialogs(widget):
    """Dialogs among the windows below `widget`."""
    from pyworkflow.gui.dialog import Dialog

    for child in widget.winfo_children():
        if isinstance(child, Dialog):
            yield child
        yield from dialogs(child)


def press(dialog, text):
    """Press the button of a dialog, whichever frame it is in."""
    import tkinter

    def buttons(widget):
        for child in widget.winfo_children():
            if isinstance(child, tkinter.Button) and child["text"] == text:
                yield child
            yield from buttons(child)

    next(buttons(dialog)).invoke()


# ------------------------- what the user does -------------------------
def changeDiameter(dialog, result):
    yield 500
    result["start"], result["note"] = dialog.diameterAng, (*dialog.list.table.item("0", "values"), "")[1]
    result["circles"] = len(dialog.canvas.find_withtag("circles"))
    result["mapping"] = dialog.canvas.toMicrograph(*dialog.canvas.toWindow(17, 230))
    for _ in range(5):
        dialog.canvas.event_generate("<Button-4>", x=100, y=100)
    dialog.canvas.event_generate("<Button-5>", x=100, y=100)
    yield 200
    result["wheel"] = dialog.diameterAng
    dialog.slider.set(120)
    yield 200
    first = dialog.canvas.find_withtag("circles")[0]
    left, _, right, _ = dialog.canvas.coords(first)
    result["drawn"] = (right - left) / (dialog.canvas.toWindow(1, 0)[0] - dialog.canvas.toWindow(0, 0)[0])
    press(dialog, "Zoom in")
    yield 200
    yield PICTURE
    zoomed = dialog.canvas.toMicrograph(0, 0)
    for _ in range(2):
        dialog.canvas.event_generate("<ButtonPress-1>", x=5, y=5)
    result["zoomed"] = [zoomed, dialog.canvas.toMicrograph(0, 0)]
    for sequence in ("<ButtonPress-1>", "<ButtonRelease-1>"):
        dialog.canvas.event_generate(sequence, x=300, y=300)
    yield 100
    result["clicked"] = len(dialog.canvas.find_withtag("circles"))
    press(dialog, "OK")


def cancel(dialog, result):
    yield 300
    dialog.canvas.event_generate("<Button-4>", x=100, y=100)
    yield 100
    press(dialog, "Cancel")


def choosePrior(dialog, result):
    yield 500
    choices = [child for child in dialog.winfo_children()[0].winfo_children() if child.winfo_class() == "Radiobutton"]
    choices[0].invoke()
    until = time.time() + 150
    while dialog.prior["text"] == "…" and time.time() < until:
        yield 200
    yield PICTURE
    result["most"] = dialog.value.get()
    result["prior"] = dialog.prior["text"]
    press(dialog, "OK")


def preview(dialog, result):
    until = time.time() + 150
    yield 200
    while dialog._process is not None and time.time() < until:
        yield 200
    result["idle"] = dialog.floatingMessage["text"]
    dialog.setThreshold(0)
    result["at 0"] = len(dialog.canvas.find_withtag("circles"))
    dialog.slider.set(2)
    yield 200
    result["at 2"] = len(dialog.canvas.find_withtag("circles"))
    yield PICTURE
    result["bars"] = len(dialog.bars.find_withtag("bars"))
    dialog.bars.event_generate("<ButtonPress-1>", x=round(dialog.bars.placeOf(-1.0)), y=10)
    yield 200
    result["clicked"] = dialog.threshold
    result["line and handle"] = [dialog.bars.coords("line")[0], dialog.slider.coords()[0]]
    dialog.setThreshold(2)
    dialog.distance.set("95")
    press(dialog, "Pick again")
    result["busy"] = dialog.floatingMessage["text"]  # at once: a fast machine has picked soon after
    yield 300
    while dialog._process is not None and time.time() < until:
        yield 200
    for _ in range(3):
        dialog.canvas.event_generate("<Button-5>", x=100, y=100)
    yield 200
    result["text"] = dialog.text["text"]
    press(dialog, "OK")


def previewOfALowThreshold(dialog, result):
    until = time.time() + 150
    yield 200
    while dialog._process is not None and time.time() < until:
        yield 200
    result["text"], result["lowest"] = dialog.text["text"], dialog.slider["from"]
    press(dialog, "OK")


def previewFails(dialog, result):
    until = time.time() + 150
    errors = []
    while not errors and time.time() < until:
        yield 200
        errors = [child for child in dialogs(dialog) if child.winfo_viewable()]
    yield PICTURE
    result["error"] = [text.get("1.0", "end") for text in texts(errors[0])]
    press(errors[0], "OK")
    yield 200
    press(dialog, "Cancel")


def texts(widget):
    import tkinter

    for child in widget.winfo_children():
        if isinstance(child, tkinter.Text):
            yield child
        yield from texts(child)


def chooseAttribute(dialog, result):
    yield 300
    names = [dialog.tree.item(item)["text"] for item in dialog.tree.get_children()]
    result["names"] = names
    dialog.tree.selection_set(dialog.tree.get_children()[names.index("_topazScore")])
    yield 200
    yield PICTURE
    press(dialog, "Select")


def chooseModel(dialog, result):
    yield 300
    rows = [dialog.tree.item(item) for item in dialog.tree.get_children()]
    result["models"] = [(row["text"], row["values"][0], row["values"][1]) for row in rows]
    result["said"] = dialog.message
    dialog.tree.selection_set(dialog.tree.get_children()[0])
    yield 200
    yield PICTURE
    press(dialog, "Select")


def warned(dialog, result):
    yield 300
    result["warning"] = " ".join(text.get("1.0", "end") for text in texts(dialog))
    press(dialog, "OK")


def main():
    project, folder, labels, model, broken, *only = sys.argv[1:]
    driver = Driver(project, folder, {"labels": labels, "model": model, "broken": broken})
    from pupicker.protocols import (
        ProtPuPickerEvaluate,
        ProtPuPickerPick,
        ProtPuPickerPreprocess,
        ProtPuPickerThreshold,
        ProtPuPickerTrain,
    )

    labelled = {"inputCoordinates": ("labels", "outputCoordinates")}
    mics = {"inputMicrographs": ("mics", "outputMicrographs")}
    driver.runs["mics"] = driver.runs["labels"].inputMicrographs.getObjValue()
    picking = dict(mics, inputModel=("model", "outputModel"))

    both = dict(labelled, referenceCoordinates=("labels", "outputCoordinates"))
    scenarios = [
        ("diameter", ProtPuPickerTrain, "diameter", changeDiameter, labelled, {}),
        ("cancelled", ProtPuPickerTrain, "diameter", cancel, labelled, {"diameter": 77.0}),
        ("nothing chosen", ProtPuPickerTrain, "diameter", warned, {}, {}),
        ("preprocess", ProtPuPickerPreprocess, "diameter", changeDiameter, mics, {}),
        ("prior", ProtPuPickerTrain, "priorMode", choosePrior, labelled, {"diameter": 120.0}),
        ("fraction", ProtPuPickerTrain, "classPrior", choosePrior, labelled, {"diameter": 120.0, "priorMode": 1}),
        ("attribute", ProtPuPickerThreshold, "attribute", chooseAttribute, labelled, {}),
        ("evaluated diameter", ProtPuPickerEvaluate, "diameter", changeDiameter, both, {}),
        ("evaluated attribute", ProtPuPickerEvaluate, "scoreAttribute", chooseAttribute, both, {}),
        ("detection", ProtPuPickerPick, "thresholdMode", preview, picking, {"useGpu": False}),
        ("low threshold", ProtPuPickerPick, "threshold", previewOfALowThreshold, picking,
         {"useGpu": False, "thresholdMode": 1, "threshold": -9.0}),
        ("library", ProtPuPickerPick, "libraryModel", chooseModel, mics, {"modelSource": 1}),
        ("broken", ProtPuPickerPick, "thresholdMode", previewFails, dict(mics, inputModel=("broken", "outputModel")),
         {"useGpu": False}),
    ]

    def run():
        for name, protocol, param, actions, links, values in scenarios:
            if name in only or not only:
                driver.use(name, protocol, param, actions, links, **values)
        with open(os.path.join(folder, "results.json"), "w") as stream:
            json.dump(driver.results, stream)

    drive(driver.window, run, TIMEOUT)


if __name__ == "__main__":
    main()
