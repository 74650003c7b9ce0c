"""The program that tortures: a few of each, and that it notices what goes wrong."""

from __future__ import annotations

import random

import pytest


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Its files; the folder of the programs is above the package."""
    pytest.importorskip("benchmarks.torture", reason="needs the repository: benchmarks is not beside the package")
    from benchmarks.torture.scene import made

    return made(tmp_path_factory.mktemp("torture"))


@pytest.mark.slow
def test_a_few_of_each(scene):
    from benchmarks.torture import files, kills, sameness
    from benchmarks.torture.__main__ import report
    from benchmarks.torture.bad_inputs import KINDS

    told = {"seed": 1, "minutes": 1.0, "kills": kills.torture(scene, 4, 1), "sameness": sameness.torture(scene, 1, 1),
            "files": files.torture(scene, 40, 1)}
    assert [told[part]["wrong"] for part in ("kills", "sameness", "files")] == [[], [], []]
    assert len(KINDS) >= 60 and told["files"]["mutated"] == 40 and told["sameness"]["picks"] > 5
    text = report(told)
    assert all(f"| {kind} | " in text for kind in KINDS)


def test_a_process_that_ends_badly_is_seen(tmp_path, programs):
    from benchmarks.torture.processes import Ended, command

    told = command(["info", tmp_path / "none"], tmp_path / "log")
    assert told.told and told.code == 1 and "no such file" in told.error
    killed = command(["simulate", "--output", tmp_path / "s", "--micrographs", 900], tmp_path / "log", 0.3)
    assert killed.code == -9 and not killed.plain
    assert not Ended(1, "Traceback (most recent call last)\nValueError", 0.1).told
    assert not Ended(0, "", 0.1).told and not Ended(1, "a: error: b\na: error: c", 0.1).told


def test_mutated_files_differ_and_are_drawn_again_the_same(programs):
    from benchmarks.torture.files import mutated

    content = bytes(range(256)) * 8
    many = {mutated(content, random.Random(seed)) for seed in range(200)}
    assert len(many) > 190 and mutated(content, random.Random(3)) == mutated(content, random.Random(3))
    assert mutated(b"", random.Random(3)) == b""


def test_mutations_change_one_thing_and_leave_words_alone(programs):
    import ast

    from benchmarks.torture.mutation import FOLDERS, all_mutations, mutated, places

    found = all_mutations([FOLDERS[5]])
    assert len(found) > 300 and len({(m.module, m.node, m.variant) for m in found}) == len(found)
    chosen = random.Random(2).sample(found, 20)
    assert all(ast.unparse(ast.parse(mutated(one))) for one in chosen)
    tree = ast.parse("def f(x: int) -> int:\n    if x < 1:\n        raise ValueError(f'{x + 1}')\n    return x + 2\n")
    assert sorted(ast.unparse(node).split("\n")[0] for node in places(tree)) == [
        "1", "2", "if x < 1:", "return x + 2", "x + 2", "x < 1"]
