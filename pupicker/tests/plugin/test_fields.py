"""What a form takes is what the command line takes: both follow from the declaration of the option."""

from __future__ import annotations

import math

import pytest

from pupicker.tests.scipion import scipion_environment  # noqa: F401  (before pyworkflow is imported)

from pupicker.constants import (  # isort: skip
    AUTOENCODER_GIVEN,
    EXCLUSION_GIVEN,
    PRIOR_COUNT,
    PRIOR_FRACTION,
    PSEUDO_LABELS,
    THRESHOLD_GIVEN,
)
from pupicker.engine.runtime.checks import check_options  # isort: skip
from pupicker.engine.runtime.errors import UsageError  # isort: skip
from pupicker.protocols import (  # isort: skip
    ProtPuPickerBaseline,
    ProtPuPickerCombine,
    ProtPuPickerCrossValidate,
    ProtPuPickerLive,
    ProtPuPickerPick,
    ProtPuPickerPreprocess,
    ProtPuPickerTrain,
    protocol_baseline,
    protocol_combine,
    protocol_cross_validate,
    protocol_preprocess,
)
from pupicker.protocols.forms import exclusion, fields, labels, network, picking, training  # isort: skip


def fields_of(*modules):
    """Of the modules, without those that they import from one another."""
    return {value for module in modules for value in vars(module).values() if isinstance(value, fields.OptionField)}


OF_TRAINING = fields_of(fields, labels, network, exclusion, training)
OF_PICKING = fields_of(picking) | {ProtPuPickerPick._minDistanceField, ProtPuPickerPick._boxSizeField, exclusion.MARGIN,
                                   exclusion.CONTAMINATION}
OF_BASELINE = fields_of(protocol_baseline) | {ProtPuPickerBaseline._minDistanceField,
                                              ProtPuPickerBaseline._boxSizeField, exclusion.MARGIN}
FIELDS = sorted(
    [(field, ProtPuPickerTrain) for field in OF_TRAINING] + [(field, ProtPuPickerPick) for field in OF_PICKING]
    + [(field, ProtPuPickerBaseline) for field in OF_BASELINE]
    + [(field, ProtPuPickerCombine) for field in fields_of(protocol_combine)]
    + [(field, ProtPuPickerLive) for field in (
        fields.DIAMETER, picking.THRESHOLD, training.UPDATES, ProtPuPickerLive._minDistanceField,
        ProtPuPickerLive._boxSizeField, exclusion.MARGIN, exclusion.CONTAMINATION)]
    + [(protocol_cross_validate.FOLDS, ProtPuPickerCrossValidate)]
    + [(protocol_preprocess.TARGET, ProtPuPickerPreprocess)],
    key=lambda pair: (pair[1].__name__, pair[0].name))
# So that the field counts.
SETTINGS = {
    "classPrior": {"priorMode": PRIOR_FRACTION}, "particlesPerMicrograph": {"priorMode": PRIOR_COUNT},
    "autoencoderWeight": {"autoencoder": AUTOENCODER_GIVEN}, "proposalCount": {"trainFrom": PSEUDO_LABELS.index("dog")},
    "threshold": {"thresholdMode": THRESHOLD_GIVEN},
}
OF_PROTOCOL = {ProtPuPickerTrain: {"diameter": 150}, ProtPuPickerCrossValidate: {"diameter": 150},
               ProtPuPickerBaseline: {"diameter": 150}, ProtPuPickerCombine: {"diameter": 150},
               ProtPuPickerLive: {"diameter": 150},
               ProtPuPickerPick: {"exclusionMode": EXCLUSION_GIVEN}}
VALUES = (-1.0, 0.0, 1e-3, 0.5, 0.95, 1.0, 1.5, 10.0, 11.0, 100.0, 2.0**32, math.nan, math.inf)


def accepted(option, value):
    try:
        check_options({option.name: value}, [option])
    except UsageError:
        return False
    return True


def name_of(value):
    return getattr(value, "name", None) or value.__name__


@pytest.mark.parametrize(("field", "protocol"), FIELDS, ids=name_of)
def test_a_form_takes_what_the_command_line_takes(field, protocol):
    run = protocol(**{**OF_PROTOCOL.get(protocol, {}), **SETTINGS.get(field.name, {})})
    for value in VALUES if field.option.kind is not bool else ():
        if field.option.kind is int and (not math.isfinite(value) or value != int(value)):
            continue  # Scipion takes whole numbers only
        getattr(run, field.name).set(field.option.kind(value))
        message = field.error(run)
        usable = accepted(field.option, value) or (bool(field.automatic) and value == 0)
        assert (message == "") is usable, (value, message)
        assert message == "" or message.startswith(f"*{field.option.label}*: ")
        # The form of preprocess says nothing before it has micrographs.
        assert usable or protocol is ProtPuPickerPreprocess or any(text.startswith(message) for text in run._validate())


@pytest.mark.parametrize(("field", "protocol"), FIELDS, ids=name_of)
def test_a_field_shows_its_declaration(field, protocol):
    run = protocol()
    param = run.getParam(field.name)
    assert fields.plainLabel(param.getLabel()) == field.option.label
    assert isinstance(param, fields.KINDS[field.option.kind])
    if field.option.default is not None and field.name != "autoencoderWeight":  # beside a choice that says none
        assert param.default.get() == str(field.option.default)
    if field.automatic:
        assert getattr(run, field.name).get() == 0
        assert field.arguments(run) == []


def test_a_number_that_is_missing_is_asked_for():
    run = ProtPuPickerTrain(diameter=150)
    assert run.validationFraction.get() is None and run._validate() == []  # may be empty
    run.seed.set(None)
    (message,) = run._validate()
    assert message.startswith("*Random seed*: a number is missing")
    run = ProtPuPickerPick(thresholdMode=THRESHOLD_GIVEN)
    run.threshold.set(None)
    assert run._validate() == ["*Threshold*: a number is missing; it must be a finite number."]


def test_a_threshold_that_is_left_empty_is_that_of_the_method():
    run = ProtPuPickerBaseline(diameter=150)
    assert run.minScore.get() is None and run._validate() == []
    assert not any("threshold" in word for word in run._getPickArguments())


def test_a_margin_that_does_not_count_is_not_checked():
    assert ProtPuPickerPick(margin=-1.0)._validate() == []


def test_all_fields_are_tested():
    assert len(OF_TRAINING) >= 14 and len(OF_PICKING) >= 6 and len(OF_BASELINE) >= 5


def test_forms_say_no_old_names():
    """Old options are taken from old scripts; the forms give those that the help shows."""
    import argparse

    from pupicker.commands.main import build_parser

    commands = next(action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    for run, command in (
        (ProtPuPickerTrain(diameter=150, trainFrom=1, proposalCount=9, ringNegatives=True, dropout=0.1), "train"),
        (ProtPuPickerPick(uncertainty=True, minDistance=9, thresholdMode=1, exclusionMode=1), "pick"),
        (ProtPuPickerBaseline(diameter=150, minScore=2.0, contrast=1, minDistance=9), "baseline"),
    ):
        given = run._getTrainingArguments() if command == "train" else run._getPickArguments()
        shown = {name for action in commands.choices[command]._actions if action.help != argparse.SUPPRESS
                 for name in action.option_strings}
        assert {word.partition("=")[0] for word in given if word.startswith("--")} <= shown, command


def test_steps_of_the_first_version_are_known_by_the_names_it_gave():
    given = ["--score-sd", "--pseudo-labels", "dog", "--pseudo-label-count", "40", "--margin", "5"]
    former = ["--uncertainty", "--proposals", "dog", "--proposal-count", "40", "--margin", "5"]
    assert fields.withFormerNames(given) == former
