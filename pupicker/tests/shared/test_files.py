"""Files appear whole or not at all, whoever writes them."""

from __future__ import annotations

import json
import os
import stat

import pytest

from pupicker.shared.atomic import atomic_path, folder_for
from pupicker.shared.json_files import read_json, write_json


def test_failed_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.json"
    write_json(target, {"a": 1})
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        assert temporary.suffix == ".json" and temporary.name.startswith(".")
        raise RuntimeError
    assert json.loads(target.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [target]


def test_no_empty_folder_is_left_of_what_could_not_be_written(tmp_path):
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "new" / "newer" / "a.json"):
        assert (tmp_path / "new" / "newer").is_dir()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").mkdir()
    with pytest.raises(RuntimeError), folder_for(tmp_path / "old" / "new" / "newer"):
        (tmp_path / "old" / "new" / "a").touch()
        raise RuntimeError
    assert [path.name for path in tmp_path.rglob("*")] == ["old", "new", "a"]
    with pytest.raises(RuntimeError), folder_for(tmp_path / "old"):
        (tmp_path / "old" / "new" / "a").unlink()
        (tmp_path / "old" / "new").rmdir()
        raise RuntimeError
    assert (tmp_path / "old").is_dir()
    with folder_for(tmp_path / "kept"):
        pass
    assert (tmp_path / "kept").is_dir()


def test_json_there_and_back(tmp_path):
    target = tmp_path / "folder" / "a.json"
    write_json(target, {"x": [1, "Å"]})
    assert read_json(str(target)) == {"x": [1, "Å"]}
    assert os.listdir(target.parent) == ["a.json"]
    assert target.read_text(encoding="utf-8").endswith("}\n")


def test_missing_and_truncated_json_is_empty(tmp_path):
    (tmp_path / "half.json").write_text('{"x": ')
    assert read_json(tmp_path / "half.json") == read_json(tmp_path / "none.json") == {}


@pytest.mark.parametrize("text", ["[1, 2]", "[[1, 2]]", "null", "3", '"text"'])
def test_json_of_something_else_is_no_content(tmp_path, text):
    (tmp_path / "other.json").write_text(text)
    assert read_json(tmp_path / "other.json") == {}


def test_a_file_is_for_everybody_whom_the_umask_lets(tmp_path):
    (tmp_path / "plain").touch()
    with atomic_path(tmp_path / "a") as temporary:
        temporary.touch(0o600)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)
