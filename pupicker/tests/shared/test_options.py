"""An option is declared once: parser, check, engine and forms say the same."""

from __future__ import annotations

import argparse
import ast
from dataclasses import fields
from pathlib import Path

import pytest

import pupicker
from pupicker import constants
from pupicker.commands.training_arguments import add_learning_arguments, training_options
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


@pytest.mark.parametrize("name", ["learning_rate", "weight_decay", "batch_size", "validation_fraction", "objective"])
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
    ("class_prior", 0.0, "the class prior 0 must be between 0 and 1"), ("class_prior", 1.0, "between 0 and 1"),
    ("class_prior", float("nan"), "finite"), ("weight_decay", 1.5, "the weight decay 1.5 must be from 0 to 1"),
    ("weight_decay", -1e-9, "from 0 to 1"), ("validation_fraction", 1.0, "at least 0 and below 1"),
    ("diameter", 0.0, "the particle diameter 0 Å must be above 0"), ("diameter", float("inf"), "finite"),
    ("updates", 0, "at least 1"), ("updates", 1.5, "a whole number"), ("objective", "ge", "one of ge-binomial, ge-kl"),
    ("autoencoder", "much", "from 0 to 10, or auto"), ("autoencoder", 11, "from 0 to 10, or auto"),
    ("batch_size", 31, "at least 32"), ("seed", -1, "from 0 to"),
])
def test_a_value_out_of_range_is_named(name, value, words):
    with pytest.raises(UsageError, match=words) as caught:
        check_options({name: value})
    assert caught.value.parameters == (name,)


@pytest.mark.parametrize(("name", "value"), [
    ("weight_decay", 0), ("weight_decay", 1.0), ("validation_fraction", 0), ("autoencoder", "auto"), ("norm", "none"),
    ("class_prior", None), ("updates", 1), ("particles_per_micrograph", 1e-3), ("seed", 2**32 - 1), ("start", "any"),
])
def test_a_value_in_range_is_not(name, value):
    check_options({name: value, "something_else": -1})


def test_names_are_unique():
    names = [name for option in options.TRAINING for name in (option.name, *option.old_names)]
    assert len(names) == len(set(names))


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
