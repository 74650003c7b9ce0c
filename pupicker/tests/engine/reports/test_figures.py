"""Figures of the reports say which number was taken, and show what can be seen."""

from __future__ import annotations

import numpy as np

from pupicker.engine.reports.figures import (
    PART_DIAMETERS,
    PICK,
    Circles,
    particles_curve,
    readable_part,
    training_curve,
)

CURVE = [{"stage": "selection", "updates": 10 * n, "loss": 1.0, "validation": 0.5, "particles_per_micrograph": 1000.0}
         for n in (1, 2, 3)]


def words_of(figure):
    return [text.get_text() for axes in figure.axes if axes.get_legend() for text in axes.get_legend().get_texts()]


def test_the_number_of_particles_that_was_taken_is_drawn():
    assert words_of(particles_curve(CURVE, 847.4)) == ["taken in the end: 847"]
    assert words_of(particles_curve(CURVE)) == []


def test_the_length_is_called_chosen_not_best():
    """It is the last within one standard error of the best."""
    assert words_of(training_curve(CURVE, 20)) == ["finding the length", "chosen: 20 updates"]


def test_there_is_no_empty_plot_where_nothing_was_held_out():
    figure = training_curve([dict(epoch, validation=None) for epoch in CURVE], 30)
    assert len(figure.axes) == 1 and words_of(figure) == []


def test_of_a_crowded_micrograph_a_part_is_shown():
    image = np.zeros((600, 900), np.float32)
    few, many = (np.random.default_rng(0).uniform((0, 0), (899, 599), (n, 2)) for n in (20, 400))
    whole, shown = readable_part(image, [Circles(few, 10.0, PICK, "picks")])
    assert whole is image and len(shown[0].xy) == 20
    part, shown = readable_part(image, [Circles(many, 10.0, PICK, "picks")])
    assert part.shape == (20 * PART_DIAMETERS, 20 * PART_DIAMETERS)
    assert 0 < len(shown[0].xy) < 400
    assert (shown[0].xy >= 0).all() and (shown[0].xy < 20 * PART_DIAMETERS).all()
