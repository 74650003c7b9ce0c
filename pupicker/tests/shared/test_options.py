"""An option is declared once: parser, check, engine and forms say the same."""

from __future__ import annotations

import argparse
import ast
from dataclasses import fields
from pathlib import Path

import pytest

import pupicker
from pupicker import constants
from pupicker.commands.parsing.training_arguments import add_learning_arguments, training_options
from pupicker.core.networks import DEFAULT_NETWORK, NETWORKS
from pupicker.core.networks.blocks import NORMS
from pupicker.core.objectives import OBJECTIVES
from pupicker.engine.models.initial_weights import WEIGHTS
from pupicker.engine.runtime.checks import check_options
from pupicker.engine.runtime.errors import UsageError
from pupicker.engine.training.optimisation import FittingOptions
from pupicker.engine.training.options import TrainingOptions
from pupicker.shared import choices, options

PACKAGE = Path(pupicker.__file__).parent
EVERY = options.TRAINING + options.OTHERS
BY_NAME = {option.name: option for option in options.TRAINING}


@pytest.fixture(scope="module")
def parser():
    found = argparse.ArgumentParser()
    add_learning_arguments(found)
    return found


def parse(parser, *words):
    given = [] if any(word.startswith(("--pseudo", "--proposals")) for word in words) else ["--picks", "a.star"]
    return parser.parse_args(["mics", "--diameter", "100", *given, *words])


def test_every_option_is_an_argument_with_its_default(parser):
    args = vars(parse(parser))
    for option in options.TRAINING:
        if not option.required:
            assert args[option.name] == option.default, option.name
    shown = parser.format_help()
    for option in options.TRAINING:
        assert f"--{'no-' if option.default is True else ''}{option.name.replace('_', '-')}" in shown
        assert option.help.split(",")[0][:20] in " ".join(shown.split())


def test_old_names_are_taken_and_not_shown(parser):
    args = parse(parser, "--proposals", "dog", "--proposal-count", "30")
    assert (args.pseudo_labels, args.pseudo_label_count) == ("dog", 30)
    assert args == parse(parser, "--pseudo-labels", "dog", "--pseudo-label-count", "30")
    assert "proposal" not in parser.format_help()
    with pytest.raises(SystemExit):
        parser.parse_args(["mics", "--diameter", "100", "--picks", "a.star", "--proposals", "dog"])


@pytest.mark.parametrize("kind", [TrainingOptions, FittingOptions])
def test_the_engine_has_the_same_defaults(kind):
    values = vars(kind())
    shared = [f.name for f in fields(kind) if f.name in BY_NAME]
    assert len(shared) >= 4
    for name in shared:
        assert values[name] == BY_NAME[name].default, name


def test_lists_of_the_plugin_are_those_of_the_core():
    assert tuple(OBJECTIVES) == choices.OBJECTIVES
    assert NORMS == constants.NORM_CHOICES
    assert set(NETWORKS) == set(choices.NETWORKS) == set(constants.NETWORK_CHOICES) - {"of another package"}
    assert constants.NETWORK_CHOICES[constants.NETWORK_OTHER] == "of another package"  # an index that projects store
    assert constants.NETWORK_CHOICES[:4] == ("conv31", "conv63", "conv127", "resnet31")
    assert constants.NETWORK_CHOICES[constants.NETWORK_DEFAULT] == DEFAULT_NETWORK
    assert set(choices.GENERAL_NETWORKS) == {path.stem for path in WEIGHTS.glob("*.safetensors")}
    assert constants.PSEUDO_LABELS == ("", "general", "template", "dog")


@pytest.mark.parametrize("name", ["learning_rate", "weight_decay", "batch_size", "validation_fraction", "objective",
                                  "rotation_step", "folds"])
def test_no_default_is_written_a_second_time(name):
    """Neither as the default of a field or parameter of that name, nor as that of an argument."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        if "tests" in path.parts or (path.name == "options.py" and path.parent.name == "shared"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            value = None
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
                value = node.value
            elif isinstance(node, ast.Call) and any(
                    isinstance(a, ast.Constant) and a.value == f"--{name.replace('_', '-')}" for a in node.args):
                value = next((k.value for k in node.keywords if k.arg == "default"), None)
            elif isinstance(node, ast.Assign) and any(
                    isinstance(t, ast.Name) and t.id.lower() == name for t in node.targets):
                value = node.value
            if isinstance(value, ast.Constant) and value.value not in (None, 0):
                found.append(f"{path.relative_to(PACKAGE)}: {ast.unparse(node)}")
    assert found == []


@pytest.mark.parametrize(("name", "value", "words"), [
    ("class_prior", 0.0, "the share of the area 0 must be between 0 and 1"), ("class_prior", 1.0, "between 0 and 1"),
    ("class_prior", float("nan"), "finite"), ("weight_decay", 1.5, "the weight decay 1.5 must be from 0 to 1"),
    ("weight_decay", -1e-9, "from 0 to 1"), ("validation_fraction", 1.0, "at least 0 and below 1"),
    ("diameter", 0.0, "the particle diameter 0 Å must be above 0 and at most 10000"),
    ("diameter", float("inf"), "finite"), ("diameter", 1e6, "at most 10000"),
    ("updates", 0, "from 1 to 10000000"), ("updates", 1.5, "a whole number"),
    ("objective", "ge", "one of ge-binomial, ge-kl"),
    ("autoencoder", "much", "from 0 to 10, or auto"), ("autoencoder", 11, "from 0 to 10, or auto"),
    ("batch_size", 31, "from 32 to 65536"), ("batch_size", 10**99, "from 32 to 65536"), ("seed", -1, "from 0 to"),
    ("training_radius", 0.1, "the training radius 0.1 working pixels must be from 1 to 100"),
    ("min_distance", 1e9, "the minimum distance 1e.09 Å must be above 0 and at most 10000"),
    ("threshold", float("nan"), "the threshold nan must be a finite number"), ("threshold", float("-inf"), "finite"),
    ("threads", -1, "the threads -1 must be from 0 to 512"), ("threads", 100000, "from 0 to 512"),
    ("threads", 1.5, "a whole number from 0 to 512"), ("device", "foo", "must be auto, cpu, cuda or cuda:N"),
    ("device", "cuda:x", "must be auto"), ("device", "", "must be auto"), ("device", "cpu ", "must be auto"),
    ("pixel_size", 0, "the pixel size 0 Å must be above 0 and at most 100"), ("template_pixel_size", 0, "above 0"),
    ("rotation_step", 361.0, "above 0 and at most 360"), ("margin", -1.0, "from 0 to 10000"),
    ("folds", 1, "at least 2"), ("radius", 0, "above 0"), ("scale", 0, "above 0"), ("threshold", "3", "finite number"),
    ("diameter", "abc", "abc Å must be a finite number above 0 and at most"),
])
def test_a_value_out_of_range_is_named(name, value, words):
    with pytest.raises(UsageError, match=words) as caught:
        check_options({name: value}, EVERY)
    assert caught.value.parameters == (name,)


@pytest.mark.parametrize(("name", "value"), [
    ("weight_decay", 0), ("weight_decay", 1.0), ("validation_fraction", 0), ("autoencoder", "auto"), ("norm", "none"),
    ("class_prior", None), ("updates", 1), ("particles_per_micrograph", 1e-3), ("seed", 2**32 - 1), ("start", "any"),
    ("threshold", -1e9), ("threads", 0), ("threads", 512), ("device", "auto"), ("device", "cuda"),
    ("device", "cuda:12"),
    ("margin", 0), ("rotation_step", 360), ("min_distance", 10000), ("training_radius", 1), ("pixel_size", 100),
])
def test_a_value_in_range_is_not(name, value):
    check_options({name: value, "something_else": -1}, EVERY)


@pytest.mark.parametrize("option", [option for option in EVERY if option.default is not None], ids=lambda o: o.name)
def test_a_default_is_in_range(option):
    assert option.problem(option.default) == "" and isinstance(option.default, option.kind)


def test_names_are_unique():
    names = [name for option in EVERY for name in (option.name, *option.old_names)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("option", "words"), [
    (options.SEED, "of everything random (from 0 to 4294967295; default: 0)"),
    (options.DIAMETER, "longest extent of the particle, in Å (above 0 and at most 10000)"),
    (options.MIN_DISTANCE, "smallest distance of two picks, in Å (above 0 and at most 10000; default: 0.45 diameters)"),
    (options.OBJECTIVE, options.OBJECTIVE.help + " (default: ge-binomial)"), (options.REFIT, options.REFIT.help),
    (options.EXCLUDE_CONTAMINATION, options.EXCLUDE_CONTAMINATION.help + " (default: yes)"),
    (options.EXCLUDE_CONTAMINATION.but(default=None, automatic="as in training"),
     options.EXCLUDE_CONTAMINATION.help + " (default: as in training)"),
    (options.THRESHOLD.but(help="lowest score", automatic="1"), "lowest score (any number; default: 1)"),
])
def test_the_help_says_unit_range_and_default(option, words):
    assert option.description == words


def test_what_is_given_reaches_the_engine(parser):
    """Each option that the engine has a field for, with a value that is not its default."""
    values = {
        "objective": "pn", "network": "conv31", "learning_rate": 2e-3, "weight_decay": 0.5, "batch_size": 64, "seed": 7,
        "autoencoder": 0.25, "class_prior": 0.125, "validation_fraction": 0.5, "updates": 70, "refit": False,
        "ring_negatives": True,
    }
    words = [f"--{name.replace('_', '-')}={value}" for name, value in values.items() if not isinstance(value, bool)]
    chosen = training_options(parse(parser, *words, "--no-refit", "--ring-negatives"))
    found = {**vars(chosen.fitting), **vars(chosen)}
    assert {name: found[name] for name in values} == values
    assert set(values) | {"particles_per_micrograph"} == set(BY_NAME) & set(found)
    assert chosen.fitting.positives == 4
