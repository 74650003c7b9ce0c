"""Fields of a form that follow from the declaration of an option: kind, label with unit or range, default, check."""

from __future__ import annotations

import re
from typing import Any, Iterable, List, NamedTuple

from pyworkflow.protocol import params

from pupicker.shared import options
from pupicker.shared.option import Option

KINDS = {float: params.FloatParam, int: params.IntParam, bool: params.BooleanParam}
AUTOMATIC = 0  # of a number that need not be given: what a form shows, because Scipion's fields are never empty


class OptionField(NamedTuple):
    """A parameter of a form that stands for an option of the command line."""

    name: str
    option: Option
    automatic: str = ""  # what 0 means; empty: a number has to be given
    optional: bool = False  # whether the field may be empty, which leaves the value to the command line

    @property
    def label(self) -> str:
        """The label of the option with its unit, or its range, and what 0 means."""
        low, high = self.option.minimum, self.option.maximum
        span = "%g to %g" % (low, high) if low is not None and high is not None and high <= 100 else ""
        parts = [self.option.unit or span] + (["%d = %s" % (AUTOMATIC, self.automatic)] if self.automatic else [])
        inside = ", ".join(part for part in parts if part)
        end = "?" if self.option.kind is bool else " (%s)" % inside if inside else ""
        return self.option.label + end

    @property
    def default(self) -> Any:
        """What the form shows first."""
        return AUTOMATIC if self.automatic else self.option.default

    def addTo(self, form: Any, help: str, **settings: Any) -> None:
        """Add it to a form; `help` says more than the line of the command line, `settings` go to the parameter."""
        settings.setdefault("label", self.label)
        settings.setdefault("default", self.default)
        if self.optional:
            settings.setdefault("allowsNull", True)
        form.addParam(self.name, KINDS[self.option.kind], help=help, **settings)

    def valueOf(self, protocol: Any) -> Any:
        """What the form of a protocol says; None where that is left to the command line."""
        value = getattr(protocol, self.name).get()
        return None if self.automatic and not value else value

    def error(self, protocol: Any) -> str:
        """What is wrong with the value in the form, as the command line would say it; empty if nothing is."""
        value = self.valueOf(protocol)
        text = self.option.problem(value)
        if value is None and not self.automatic and not self.optional:
            text = "a number is missing; it must be %s" % (self.option.range or "a finite number")
        hint = ", or %d: %s" % (AUTOMATIC, self.automatic) if text and self.automatic else ""
        return "*%s*: %s%s." % (plainLabel(protocol.getParam(self.name).getLabel()), text, hint) if text else ""

    def arguments(self, protocol: Any) -> List[str]:
        """The option of the command line; nothing where the value is left to it."""
        value = self.valueOf(protocol)
        return [] if value is None else [optionOf(self.option.name), repr(value)]


def optionOf(name: str) -> str:
    """``class_prior`` -> ``--class-prior``."""
    return "--" + name.replace("_", "-")


def plainLabel(label: str) -> str:
    """A label as messages call it, without unit and question mark."""
    return re.sub(r" \([^)]*\)$", "", label).rstrip("?")


FORMER_NAMES = {optionOf(option.name): optionOf(option.old_names[-1])
                for option in options.TRAINING + options.OTHERS if option.old_names}


def withFormerNames(arguments: Iterable[str]) -> List[str]:
    """Arguments as the first version wrote them: what a step of then was made with is still the same."""
    return [FORMER_NAMES.get(argument, argument) for argument in arguments]


def fieldErrors(protocol: Any, fields: Iterable[OptionField]) -> List[str]:
    """What is wrong with the values of these fields."""
    return [text for text in (field.error(protocol) for field in fields) if text]


DIAMETER = OptionField("diameter", options.DIAMETER)


def tooLarge(protocol: Any, micSet: Any) -> List[str]:
    """Whether the diameter of the particle is more than a micrograph holds."""
    if micSet is None or not micSet.getSize() or micSet.getDim() is None or not protocol.diameter.get():
        return []
    side = min(micSet.getDim()[:2]) * micSet.getSamplingRate()
    if protocol.diameter.get() <= side:
        return []
    return ["*%s*: %g Å was found, and the micrographs measure %0.0f Å only. Give the longest extent of the particle "
            "in Å, and check the pixel size of the micrographs." % (plainLabel(DIAMETER.label), protocol.diameter.get(),
                                                                    side)]


def diameterErrors(protocol: Any) -> List[str]:
    """What is wrong with the diameter of the particle, with what it is: most who err give the box size."""
    return [text + " It is the longest extent of the particle, not the box size, which is usually 1.5 to 2 times "
            "larger." for text in fieldErrors(protocol, [DIAMETER])]
