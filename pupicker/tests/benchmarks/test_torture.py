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
    tree = ast.parse("def f(x: int) -> int:\n    if x < 1:\n        raise ValueError(f'{x + 1}')\n    return x + 2\n"
                     "    zip(x, strict=True)\n")
    assert sorted(ast.unparse(node).split("\n")[0] for node in places(tree)) == [
        "1", "2", "if x < 1:", "return x + 2", "x + 2", "x < 1"]


def test_survivors_are_listed_with_reasons_and_later_kills_apart(programs):
    from benchmarks.torture.mutation import known_reasons, report

    def row(number, outcome, **more):
        return {"module": f"core/image/{number}.py", "line": number, "column": 4, "source": f"x = {number}",
                "text": f"{number}  →  0", "outcome": outcome, **more}

    rows = [row(1, "killed"), row(2, "too slow"), row(3, "survived"), row(4, "survived", again=True),
            row(5, "killed", again=True), row(6, "killed"), row(7, "killed"), row(8, "killed")]
    told = report(rows, 100, 7, {("core/image/3.py", "x = 3", "3  →  0"): "says the same"})
    assert "8 of 100 possible mutations, drawn with seed 7." in told
    assert "| core/image | 8 | 5 | 1 | 1 | 2 | 1 | 62 | 75 |" in told and "| all | 8 | 5 |" in told
    survivors, killed = told.split("Survivors:")[1].split("Killed by tests written since:")
    assert "`core/image/3.py:3`: `x = 3`: `3  →  0`  \n  says the same" in survivors and "no reason" in survivors
    assert "core/image/5.py" in killed and "core/image/6.py" not in told
    assert all(len(name) == 3 and reason for name, reason in known_reasons().items())


def test_only_tests_that_call_a_function_are_asked(tmp_path, programs):
    """In a process of its own: what a fixture calls counts for all who ask for it, what nobody calls for nobody."""
    import ast
    import subprocess
    import sys

    from benchmarks.torture.calls import Calls, function_at

    package = tmp_path / "small"
    package.mkdir()
    (package / "__init__.py").touch()
    source = "A = 1 + 2\n\ndef one():\n    return 1\n\ndef two():\n    def inner(x):\n        return x - 1\n" \
        "    return inner(3)\n\ndef none():\n    return 0\n"
    (package / "module.py").write_text(source)
    (tmp_path / "test_small.py").write_text(
        "import pytest\nfrom small.module import one, two\n\n@pytest.fixture(scope='module')\ndef made():\n"
        "    return two()\n\ndef test_a(made):\n    assert made == 2\n\ndef test_b(made):\n"
        "    assert made + one() == 3\n\ndef test_c():\n    assert True\n")
    code = (f"import sys; sys.path[:0] = [{str(programs.parent)!r}, {str(tmp_path)!r}]\n"
            "import pathlib, pytest\nfrom benchmarks.torture.calls import Recorder\n"
            f"recorder = Recorder(pathlib.Path({str(package)!r}), pathlib.Path({str(tmp_path / 'calls.json')!r}))\n"
            f"sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', '--rootdir', {str(tmp_path)!r},"
            f" {str(tmp_path)!r}], [recorder]))")
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True)
    calls = Calls.read(tmp_path / "calls.json")
    tests = {line: {name.split("::")[1] for name in calls.tests_of(("module.py", line))} for line in (0, 3, 6, 11)}
    assert tests == {0: {"test_a", "test_b"}, 3: {"test_b"}, 6: {"test_a", "test_b"}, 11: set()}
    tree = ast.parse(source)
    lines = {ast.unparse(node): function_at(tree, node) for node in ast.walk(tree) if isinstance(node, ast.BinOp)}
    assert lines == {"1 + 2": 0, "x - 1": 6}


def test_what_a_reader_fails_on_is_kept(tmp_path, programs):
    from benchmarks.torture.guided import TABLES, Target, _seeds
    from pupicker.shared.json_files import read_json

    _seeds(tmp_path / "seeds")
    (tmp_path / "work").mkdir()
    target = Target(tmp_path / "work", tmp_path / "notes.json")
    contents = [path.read_bytes() for path in sorted((tmp_path / "seeds").iterdir())]
    for content in [*contents, b"", bytes([TABLES.index(".tsv")]) + b"no table"]:
        target(content)
    target.write()
    told = read_json(tmp_path / "notes.json")
    assert told["files"] == len(contents) + 1 == told["read"] + told["refused"] and told["found"] == {}
    assert told["read"] >= 10
    target.keep(ValueError("wrong"), ".tsv", b"1")
    target.keep(ValueError("wrong again"), ".tsv", b"2")
    target.write()
    assert [row["content"] for row in read_json(tmp_path / "notes.json")["found"].values()] == ["31"]
