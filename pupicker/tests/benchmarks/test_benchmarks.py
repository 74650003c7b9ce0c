"""The benchmark programs: what they record, what they take from a download, what their tables say."""

from __future__ import annotations

import ast
import importlib
import json
import shutil
import sys

import numpy as np
import pytest

from pupicker.tests.test_layers import MOST_MODULES, imported_modules


def unit(draw=0, method="pupicker", **settings):
    return {"set": "bgal", "method": method, "labels": 10, "draw": draw, "labels_sha256": "0", "settings": settings}


def record(ap, cpu_s=50.0, **fields):
    return {**unit(**fields), "average_precision": ap, "training": {"cpu_s": cpu_s, "updates": 200},
            "machine": {"processor": "P", "cores": 2}, "finished": f"2026-01-01T00:00:{fields.get('draw', 0):02d}",
            "versions": {"pupicker": {"version": "1.0.0", "commit": "abc", "code": "c0de"}, "topaz": "0.3.20"}}


def test_recorded_runs_are_not_measured_again(programs, tmp_path, capsys):
    from benchmarks.common.runs import Failure, Records

    records = Records(tmp_path / "r.jsonl")
    result = {"average_precision": 0.5, "training": {}}

    def fail():
        raise Failure("topaz train ended with status 1")

    records.run(unit(0), lambda: result, {"machine": {}})
    records.run(unit(0), lambda: pytest.fail("measured twice"), {})
    records.run(unit(1), fail, {})
    records.run(unit(0, budget=9), lambda: result, {})
    assert [r["settings"] for r in records.load()] == [{}, {"budget": 9}], "other settings are another run"
    assert "status 1" in capsys.readouterr().out
    assert records.missing(unit(1)), "a failure is not a record"


def test_a_process_is_timed_stopped_and_its_failure_told(programs, tmp_path):
    from benchmarks.common.runs import Failure, process

    busy = [sys.executable, "-c", "while True: sum(range(1000))"]
    seconds = process(busy, tmp_path / "log", stop=lambda used: used > 0.3)
    assert seconds["cpu_s"] >= 0.3
    with pytest.raises(Failure, match="no such thing"):
        process([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path / "log")


def test_every_preset_reads_a_download_laid_out_as_it_says(programs, tmp_path):
    from benchmarks.paper.presets import load_download, presets

    assert presets()
    for name, recipe in presets().items():
        folder, layout = tmp_path / name, recipe["layout"]
        for number in range(5):
            pattern = layout["micrographs"][number % len(layout["micrographs"])]
            path = folder / pattern.replace("**", "data").replace("*", f"mic{number}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        ending = "_particles" if "_particles" in layout["rename"][0] else ""
        table = folder / layout["coordinates"].replace("**", "data").replace("*", "run")
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text("data_\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n" + "".join(
            f"somewhere/mic{n}{ending}.mrc 10.0 {n}.5\n" for n in (0, 1, 1, 2, 3)))
        chosen = load_download(name, folder, tmp_path / f"out_{name}")
        assert len(chosen.training) + len(chosen.test) == 4, "one micrograph has no particles"
        assert len(chosen.test) == 1
        assert chosen.particles(chosen.training + chosen.test) == 5
        assert chosen.labels(2, 0).read_text().count("\n") == 3


def test_names_that_fit_no_micrograph_are_shown(programs, tmp_path):
    from benchmarks.paper.presets import load_download

    folder = tmp_path / "10028"
    for path in ("Micrographs/Micrographs_part1/001.mrc", "Particles/shiny_2sets.star"):
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_text("data_\nloop_\n_rlnMicrographName\n_rlnCoordinateX\n_rlnCoordinateY\nother 1 2\n")
    with pytest.raises(SystemExit, match=r"'other'.*'001.mrc'.*rename"):
        load_download("80s", folder, tmp_path / "out")


def test_table_counts_draws_and_marks_less_training(programs, tmp_path):
    from benchmarks.label_efficiency_report import write_report

    rows = [record(0.80 + 0.02 * d, draw=d, code="new") for d in (0, 1)]
    rows += [record(0.10, draw=0, code="old") | {"finished": "2025"}]
    rows += [record(0.70 + 0.02 * d, draw=d, method="topaz-conv31", cpu_s=20.0) for d in (0, 1, 2)]
    rows[-1]["average_precision_by_updates"] = {"100": 0.9, "700": 0.74}
    write_report(rows, tmp_path / "table", None)
    text = (tmp_path / "table.md").read_text()
    assert "0.810 (0.800–0.820), 2" in text, "only records of the newest code"
    assert "0.720 (0.700–0.740), 3" in text
    assert "+0.100, ahead in 2 of 2 (conv31 in 2, resnet8 in 0, chosen in 0)" in text
    assert "0.773 (0.700–0.900), 3 | +0.100" in text, "the best moment is shown beside, and not compared with"
    assert "50 / 20 (!)" in text
    assert (tmp_path / "table.png").stat().st_size > 1000


def test_a_draw_counts_as_ahead_only_if_no_topaz_of_it_found_more(programs):
    from benchmarks.label_efficiency_report import comparison

    own = {d: record(0.80, draw=d) for d in (0, 1, 2)}
    conv31 = {0: record(0.90), 3: record(0.99)}
    resnet8 = {d: record(0.70, draw=d) for d in (0, 1)}
    text = comparison({"pupicker": own, "topaz-conv31": conv31, "topaz-resnet8": resnet8})
    assert text == "-0.100, ahead in 0 of 1 (conv31 in 1, resnet8 in 2, chosen in 0)"
    conv31[1] = record(0.10)
    text = comparison({"pupicker": own, "topaz-conv31": conv31, "topaz-resnet8": resnet8})
    assert text == "+0.100, ahead in 1 of 2 (conv31 in 2, resnet8 in 2, chosen in 0)"
    text = comparison({"pupicker": own, "topaz-conv31": conv31, "topaz-chosen": {d: record(0.78) for d in own}})
    assert text == "+0.020, ahead in 2 of 3 (conv31 in 2, resnet8 in 0, chosen in 3)"
    assert comparison({"topaz-conv31": conv31}) == "–"


def test_a_run_on_a_gpu_counts_but_its_time_does_not(programs, tmp_path):
    from benchmarks.label_efficiency_report import write_report

    rows = [record(0.80, draw=0, code="c0de", cpu_s=100.0), record(0.90, draw=1, code="c0de", cpu_s=9.0)]
    rows[1]["machine"] = {**rows[1]["machine"], "gpu": "a GPU"}
    write_report(rows, tmp_path / "table", None)
    text = (tmp_path / "table.md").read_text()
    assert "0.850 (0.800–0.900), 2" in text
    assert "| 100 / – |" in text
    assert "P, 2 cores, one thread, with a GPU" in text and "pupicker 1.0.0 (digest of the code c0de)" in text


def test_topaz_trains_for_processor_seconds_or_for_the_updates_that_they_give(programs):
    from benchmarks import label_efficiency

    moments = label_efficiency.MOMENTS
    assert label_efficiency.budget("topaz-resnet8", 50, False, False) == {"budget_cpu_s": 400, "moments": moments}
    assert label_efficiency.budget("topaz-resnet8", 50, False, True) == {"budget_updates": 600, "moments": moments}
    own = {"budget_updates": 10000, "moments": (0.06, *moments)}
    for by_updates in (False, True):
        assert label_efficiency.budget("topaz-resnet8", 50, True, by_updates) == own


def test_the_time_of_a_run_for_updates_does_not_count(programs):
    from benchmarks.label_efficiency_report import processor

    timed, counted = record(0.7, method="topaz-conv31", cpu_s=90.0), record(0.7, method="topaz-conv31", cpu_s=10.0)
    counted["settings"] = {**counted["settings"], "budget_updates": 830}
    runs = {"pupicker": {0: record(0.8, cpu_s=50.0)}, "topaz-conv31": {0: timed, 1: counted}}
    assert processor(runs) == "50 / 90"


@pytest.mark.parametrize(
    ("settings", "limit_min", "scored"),
    [({"budget_updates": 100, "moments": (0.2, 0.5)}, None, [25, 50, 100]),
     ({"budget_updates": 10000, "moments": (0.0025, 0.5)}, 0.12, [25, 100]),
     ({"budget_cpu_s": 0.01, "moments": (0.5,)}, None, [25])],
    ids=["updates", "minutes", "processor seconds"],
)
def test_models_of_topaz_that_are_scored(programs, tmp_path, settings, limit_min, scored):
    """A program in Topaz's place writes a model every half second, four of them, and stays if it is to write more."""
    from benchmarks.common.methods import Topaz

    program = tmp_path / "topaz"
    program.write_text(
        f"#!{sys.executable}\nimport sys, time\nfrom pathlib import Path\n"
        "argument = dict(zip(sys.argv, sys.argv[1:]))\n"
        "epochs = int(argument['--num-epochs'])\nfor epoch in range(1, min(epochs, 4) + 1):\n"
        "    sum(range(2_000_000))\n    Path(argument['--save-prefix'] + f'_epoch{epoch}.sav').touch()\n"
        "    time.sleep(0.5)\nif epochs > 4:\n    time.sleep(60)\n")
    program.chmod(0o755)
    shutil.copy(program, program.with_name("python"))  # which runs topaz_minibatches.py where time does not count
    models, training = Topaz(program)._train("topaz-resnet8", tmp_path, {"argument": 0.1}, 3, settings, limit_min)
    assert list(models) == scored and training["updates"] == scored[-1]
    assert all(path.name == f"model_epoch{updates // 25}.sav" for updates, path in models.items())


def left_out(start, scale, draw, values):
    return {"set": "bgal", "method": start, "labels": 10, "draw": draw, "settings": {"scale": scale, "radius_px": 3},
            "left_out_by_updates": values}


def test_topaz_is_given_what_did_best_on_labels_left_out(programs, tmp_path):
    from benchmarks.common.runs import Records
    from benchmarks.common.topaz_choice import Setting, best
    from benchmarks.label_efficiency import chosen_settings, parser

    rows = [left_out("topaz-conv31", 1, 0, {"300": 0.5, "1000": 0.7}),
            left_out("topaz-conv31", 2, 0, {"300": 0.8, "1000": 0.8}),
            left_out("topaz-conv31", 2, 1, {"300": 0.5, "1000": 0.5}),
            left_out("topaz-conv31", 1, 1, {"300": 0.5, "1000": 0.7}),
            left_out("topaz-resnet8", 1, 0, {"75": 0.9})]
    assert best(rows, "bgal", 10) == Setting("topaz-conv31", 1, 3, 1000), "resnet8 lacks a draw: it may be an easy one"
    assert best([*rows[:2]], "bgal", 10) == Setting("topaz-conv31", 2, 3, 300), "the shorter of two that are equal"
    assert best(rows, "bgal", 50) is None
    for row in rows:
        Records(tmp_path / "choice.jsonl").append({**row, "labels_sha256": "0"})
    args = parser().parse_args(["run", "--choice", str(tmp_path / "choice.jsonl")])
    start, settings = chosen_settings(args, "bgal", 10)
    assert start == "topaz-conv31" and (settings["scale"], settings["budget_updates"]) == (1, 1000)
    with pytest.raises(SystemExit, match="bgal with 50 labels: use the command choose"):
        chosen_settings(args, "bgal", 50)


def test_whole_micrographs_with_a_third_of_the_labels_are_left_out(programs):
    from benchmarks.common.topaz_choice import left_out_names

    rows = [(name, 0.0, 0.0) for name, count in (("a", 5), ("b", 1), ("c", 2), ("d", 2)) for _ in range(count)]
    assert left_out_names(rows) == {"b", "c"}
    assert left_out_names([("a", 0.0, 0.0), *[("b", 0.0, 0.0)] * 2]) == {"a"}
    with pytest.raises(ValueError, match="on one micrograph"):
        left_out_names([("a", 0.0, 0.0)] * 3)


def test_spread_labels_are_on_all_micrographs(programs, tmp_path, monkeypatch):
    from collections import Counter

    from benchmarks.common.datasets import BenchmarkSet, read_table

    monkeypatch.setenv("PUPICKER_BENCHMARK_CACHE", str(tmp_path / "cache"))
    truth = tmp_path / "truth.tsv"
    truth.write_text("micrograph\tx\ty\n" + "".join(
        f"{name}\t{i}\t{i}\n" for name, count in (("a", 90), ("b", 9), ("c", 2), ("test", 50)) for i in range(count)))
    usual = BenchmarkSet("bgal", "", [tmp_path / f"{name}.mrc" for name in "abc"], [], truth, tmp_path, 1.0, 10.0, 5.0)
    chosen = usual.with_spread_labels(10, 0)
    rows = read_table(chosen.labels(10, 0))
    assert sorted(Counter(name for name, *_ in rows).values()) == [2, 4, 4] and len(set(rows)) == 10
    other = usual.with_spread_labels(10, 1)
    assert read_table(other.labels(10, 1)) != rows and read_table(chosen.labels(10, 0)) == rows


def test_labels_left_out_are_matched_on_their_own_micrographs(programs, tmp_path):
    """Two of three labels are hit, at ranks 1 and 4 of 5 candidates; six particles are there."""
    from benchmarks.common.datasets import BenchmarkSet
    from benchmarks.common.topaz_choice import left_out_precision

    truth, picks = tmp_path / "truth.tsv", tmp_path / "picks.tsv"
    truth.write_text("micrograph\tx\ty\n" + "a\t1\t1\n" * 4 + "b\t1\t1\n" * 2 + "c\t1\t1\n")
    picks.write_text("micrograph\tx\ty\tscore\na\t10\t10\t5\na\t90\t90\t4\nb\t90\t90\t3\nb\t51\t50\t2\na\t3\t3\t1\n")
    chosen = BenchmarkSet("bgal", "", [], [tmp_path / "a.mrc", tmp_path / "b.mrc"], truth, tmp_path, 1.0, 10.0, 5.0)
    rows = [("a", 10.0, 10.0), ("b", 50.0, 50.0), ("b", 10.0, 10.0), ("c", 90.0, 90.0)]
    expected = (min(1, 6 * 1 / (3 * 1)) + min(1, 6 * 2 / (3 * 4))) / 3
    assert left_out_precision(chosen, rows, picks) == pytest.approx(expected)


def test_ge_kl_of_earlier_versions_is_named_as_now_and_versions_are_not_mixed(programs):
    from benchmarks.paper.experiment import by_version, sections, shown

    rows = [record(0.8, method="ge-kl", code=code, draw=draw)
            for code, draw in (("da6866c0f35b", 0), ("da6866c0f35b", 1), ("method-3", 0), ("method-4", 0))]
    named = {version: {r["method"] for r in some} for version, some in by_version(rows).items()}
    assert named == {4: {"ge-kl"}, 3: {"ge-kl-forward"}, 1: {"ge-kl-forward"}} and list(named) == [4, 3, 1]
    assert shown(rows) == rows[3:]
    assert len(shown(rows + [record(0.8, code="da6866c0f35b", draw=draw) for draw in (2, 3)])) == 4
    text = sections(rows, lambda some: f"{len(some)} records\n")
    assert text.splitlines()[:3] == ["# Version 4 of the method", "", "1 records"]


def test_paper_tables_show_particles_and_regions(programs):
    from benchmarks.paper import fig5a, fig5b, sf3

    def both(**fields):
        return {**record(0.8, **fields), "region_average_precision": 0.3}

    for module, method, settings in ((fig5a, "ge-binomial", {}), (fig5b, "none", {}),
                                     (sf3, "ge-binomial", {"prior_factor": 1.0})):
        rows = module.table([both(method=method, **settings)]).splitlines()[-2:]
        assert "particles | " in rows[0] and "0.800, 1" in rows[0]
        assert "regions | " in rows[1] and "0.300, 1" in rows[1]


def test_table_1_takes_the_defaults_from_label_efficiency(programs, tmp_path, monkeypatch):
    from benchmarks import label_efficiency_report
    from benchmarks.common.datasets import BenchmarkSet
    from benchmarks.common.runs import pupicker_code, sha256
    from benchmarks.paper import table1

    labels = tmp_path / "n0010_seed0.tsv"
    labels.write_text("micrograph\tx\ty\na\t1\t2\n")
    chosen = BenchmarkSet("bgal", "", [], [], tmp_path / "truth.tsv", tmp_path, 1.0, 100.0, 50.0)
    row = record(0.8, code=pupicker_code()["code"]) | {"labels_sha256": sha256(labels)}
    (tmp_path / "label_efficiency.jsonl").write_text(json.dumps(row) + "\n")
    monkeypatch.setattr(label_efficiency_report, "RESULTS", tmp_path)
    assert table1.recorded_elsewhere(chosen, 10, 0)
    labels.write_text("micrograph\tx\ty\na\t3\t4\n")
    assert not table1.recorded_elsewhere(chosen, 10, 0), "other labels are another run"
    assert table1.defaults_elsewhere()[0]["method"] == "defaults"


def test_differences_are_tested_in_pairs(programs):
    from benchmarks.paper.fig5a import paired_p

    noise = [0.0, 0.2, 0.1, 0.3]
    own = {d: record(0.5 + noise[d] + 0.01 + 0.001 * d) for d in range(4)}
    other = {d: record(0.5 + noise[d]) for d in range(4)}
    difference, p = paired_p(own, other)
    assert difference == pytest.approx(0.0115) and p < 0.05, "the spread between draws cancels"
    assert paired_p({0: own[0], 1: own[1]}, other) is None


def test_recipes_are_those_of_the_paper(programs):
    recipes = json.loads((programs / "paper" / "presets.json").read_text())["presets"]
    assert recipes
    for recipe in recipes.values():
        worked = recipe["pixel_size_ang"] * recipe["downsampling"]
        assert worked == pytest.approx(recipe["working_pixel_size_ang"], rel=0.01)


def test_fig5a_shows_numbers_of_labels_that_all_objectives_have(programs):
    from benchmarks.paper.fig5a import OBJECTIVES, complete

    groups = {("bgal", objective): {100: {0: record(0.8)}} for objective in OBJECTIVES}
    groups["bgal", "pn"][10] = {0: record(0.7)}
    groups["trimer", "pn"] = {10: {0: record(0.7)}}
    assert complete(groups) == {("bgal", objective): {100: {0: record(0.8)}} for objective in OBJECTIVES}


def test_what_the_uncertainty_tells(programs):
    from benchmarks.picking_options import larger, told_by_uncertainty

    assert larger(np.array([2.0, 1.0]), np.array([1.0, 0.0])) == 0.875
    assert larger(np.array([]), np.array([1.0])) is None
    picks = [{"micrograph": "a/m.1.mrc", "x": str(k), "y": "0", "score": str(10 - k), "score_sd": str(k % 2)}
             for k in range(8)]
    matches = [{"micrograph": "m.1", "x": str(k), "y": "0", "outcome": "false" if k % 2 else "hit"} for k in range(8)]
    told = told_by_uncertainty(picks, matches, 3.5)
    assert told["picks"] == 7 and told["false"] == 3
    assert told["uncertainty"] == 1.0, "the false ones are the uncertain ones"
    assert told["score"] == larger(np.array([-9.0, -7.0, -5.0]), np.array([-10.0, -8.0, -6.0, -4.0]))


def match(x, outcome, micrograph="m", y=0.0):
    return {"micrograph": micrograph, "x": f"{x:.3f}", "y": f"{y:.3f}", "score": "", "outcome": outcome}


def test_false_picks_of_most_models_are_shown_and_judged(programs):
    from benchmarks.false_picks import average_precision, no_longer_shown, shared, with_verdicts

    one = [match(0, "hit"), match(50, "false"), match(100, "false"), match(200, "hit"), match(300, "false"),
           match(400, "missed"), match(500, "missed")]
    two = [match(102, "false"), match(1, "hit"), match(300, "false"), match(201, "hit"), match(53, "false"),
           match(400, "missed"), match(100, "missed", "n")]
    places = shared([one, two], 4, 10)
    assert [(p["x"], p["kind"], p["mean_rank"]) for p in places] == [
        ("100.000", "false", "2.0"), ("400.000", "missed", "")], "found by both, among the first four of both"
    before = [{**places[0], "x": "98", "verdict": "particle"}, {**places[0], "micrograph": "n", "verdict": "nothing"}]
    assert [p["verdict"] for p in with_verdicts(places, before, 10)] == ["particle", ""]
    assert [p["verdict"] for p in with_verdicts(places, [], 10)] == ["?", ""]
    (kept,) = no_longer_shown([*before, {**before[1], "verdict": "?"}], places, 10)
    assert (kept["micrograph"], kept["verdict"], kept["mean_rank"]) == ("n", "nothing", ""), "a verdict is not lost"
    with pytest.raises(SystemExit, match="'yes': write one of particle"):
        with_verdicts(places, [{**before[0], "verdict": "yes"}], 10)
    third = [match(0, "false", y=300.0), match(48, "false"), match(200, "hit"), match(400, "missed")]
    places = shared([one, two, third], 4, 10)
    assert [(p["x"], p["mean_rank"]) for p in places] == [("50.000", "2.0"), ("100.000", "2.0"), ("400.000", "")]
    places = places[1:2]
    assert average_precision(one, 4, [], 10) == pytest.approx((1 + 2 / 4) / 4)
    assert average_precision(one, 4, places, 10) == pytest.approx((1 + 2 / 3) / 4), "neither hit nor false"


def test_all_labels_beside_few(programs):
    from benchmarks.all_labels import table

    few = [{**record(0.80, method="defaults", draw=d), "labels": 250} for d in (0, 1)]
    every = [{**record(ap, method=method), "labels": 2362} for method, ap in (("defaults", 0.9), ("PN", 0.91))]
    row = table(every, few).splitlines()[-1]
    assert row == "| bgal | 2362 | 0.800 (0.800–0.800), 2 | 0.900, 1 | 0.910, 1 |"
    assert table(every[:1], []).splitlines()[-1].endswith("| 2362 | – | 0.900, 1 | – |"), "not measured"


def test_records_of_the_first_method_keep_their_name_and_a_new_method_gets_its_own(programs, monkeypatch):
    import pupicker
    from benchmarks.common.runs import RESULTS, Records, pupicker_code

    monkeypatch.setattr(pupicker, "METHOD_VERSION", 1)
    first = pupicker_code()["code"]
    assert any(r["settings"].get("code") == first for r in Records(RESULTS / "label_efficiency.jsonl").load())
    monkeypatch.setattr(pupicker, "METHOD_VERSION", 2)
    assert pupicker_code()["code"] == "method-2"


PROGRAMS = ("ablation", "all_labels", "calibration", "class_loop", "exclusion.edges", "exclusion.learnt_contamination",
            "false_picks", "gpu", "growth", "label_efficiency", "label_placement", "left_out", "particle_numbers",
            "picking_options", "pixel_sizes", "speed", "torture", "torture.guided", "torture.mutation",
            "torture.scipion_kills", "trust", "windows.look", "windows.retraining", "zero_labels", "paper.fig5a",
            "paper.fig5b", "paper.presets", "paper.sf3", "paper.sf6", "paper.table1")


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_starts_and_is_in_the_table(programs, program, monkeypatch, capsys):
    module = importlib.import_module(f"benchmarks.{program}")
    if hasattr(module, "__path__"):
        module = importlib.import_module(f"benchmarks.{program}.__main__")
    monkeypatch.setattr(sys, "argv", [program, "--help"])
    with pytest.raises(SystemExit) as end:
        module.main()
    assert not end.value.code and f"python -m benchmarks.{program}" in capsys.readouterr().out
    folder = programs.joinpath(*program.split(".")[:-1])
    assert f"benchmarks.{program}" in (folder / "README.md").read_text(encoding="utf-8")


def test_there_are_no_other_programs(programs):
    with_main = {path for path in programs.rglob("*.py") if "__main__" in path.read_text(encoding="utf-8")}
    names = {".".join(path.relative_to(programs).with_suffix("").parts).removesuffix(".__main__") for path in with_main}
    # Not started here: one needs Scipion and a screen, one belongs to Topaz's Python, one is a part of another program.
    assert names - {"windows.viewer_start", "topaz_minibatches", "speed.floor"} == set(PROGRAMS)


PURE = ("pupicker.core.geometry", "pupicker.core.scores", "pupicker.shared")
"""What benchmarks take of pupicker beside its Python functions and its command line."""

INSIDE = ("class_loop", "exclusion", "growth", "label_placement", "torture", "windows")
"""Programs that look at parts of pupicker; file or folder."""


def test_programs_use_what_anyone_may_and_no_tricks(programs):
    """The functions that ``pupicker`` promises, the command line, pure functions."""
    import pupicker

    public = {f"pupicker.{name}" for name in pupicker.__all__}
    found = []
    for path in programs.rglob("*.py"):
        text, tree = path.read_text(encoding="utf-8"), ast.parse(path.read_text(encoding="utf-8"))
        if path.relative_to(programs).parts[0].removesuffix(".py") in INSIDE:
            continue
        for name in imported_modules(path):
            of_package = name.startswith("pupicker.") and not f"{name}.".startswith(tuple(f"{p}." for p in PURE))
            if (of_package and name not in public) or name.split(".")[0] in ("tools", "conftest"):
                found.append(f"{path.name}: {name}")
        for node in ast.walk(tree):  # a function or a module of another one is replaced
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
                imported = {alias.asname or alias.name.split(".")[0] for own in ast.walk(tree)
                            if isinstance(own, (ast.Import, ast.ImportFrom)) for alias in own.names}
                found += [f"{path.name}: {ast.unparse(node)} is set"] if node.value.id in imported else []
        found += [f"{path.name}: {trick}" for trick in ("sys.path", "setattr(", "sys.modules") if trick in text]
    assert found == []


def folders_of(programs):
    return [programs, *sorted(path.parent for path in programs.rglob("__init__.py") if path.parent != programs)]


def test_every_folder_lists_its_modules_and_is_no_drawer(programs):
    for folder in folders_of(programs):
        text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
        modules = [path.stem for path in sorted(folder.glob("*.py")) if not path.stem.startswith("__")]
        inside = [path.parent.name for path in folder.glob("*/__init__.py")]
        assert [name for name in (*modules, *inside) if f"``{name}``" not in text] == []
        assert len(modules) <= MOST_MODULES, folder


@pytest.mark.parametrize("program", ["label_efficiency", "left_out", "zero_labels", "paper.fig5a", "paper.fig5b",
                                     "paper.sf3", "paper.sf6"])
def test_the_table_is_that_of_the_records(programs, program, monkeypatch, tmp_path):
    """Records that were joined from another machine show in no table before ``report`` is run."""
    *folder, name = program.split(".")
    results = programs.joinpath(*folder) / "results"
    shutil.copy(results / f"{name}.jsonl", tmp_path)
    monkeypatch.setattr(sys, "argv", [program, "--records", str(tmp_path / f"{name}.jsonl"), "report"])
    importlib.import_module(f"benchmarks.{program}").main()
    assert (tmp_path / f"{name}.md").read_text() == (results / f"{name}.md").read_text()
