"""What is noted of tables that are written."""

from __future__ import annotations

from pathlib import Path

from pupicker.engine.picking.record import Record


def micrographs(folder):
    """Three, by the names of their tables."""
    out = {name: str(folder / f"{name}.mrc") for name in ("a", "b", "c")}
    for path in out.values():
        Path(path).write_text(path)
    return out


def test_a_table_counts_while_it_is_as_it_was_written(tmp_path):
    one, other = (Record(tmp_path / ".record", identity) for identity in ("one", "other"))
    mics = micrographs(tmp_path)
    assert one.written(mics) == set()
    for name, mic in mics.items():
        (tmp_path / name).write_text(name)
        one.add(name, mic)
    assert one.written(mics) == {"a", "b", "c"} and other.written(mics) == set()
    assert one.written({"a": mics["a"]}) == {"a"}
    (tmp_path / "a").write_text("another")
    other.add("a", mics["a"])
    (tmp_path / "b").unlink()
    assert one.written(mics) == {"c"} and other.written(mics) == {"a"}
    one.forget({"c", "b"})
    assert one.written(mics) == set() and other.written(mics) == {"a"}
    other.forget({"a"})
    assert not (tmp_path / ".record").exists()
    other.forget({"a"})


def test_the_table_of_a_micrograph_that_was_replaced_does_not_count(tmp_path):
    record, mics = Record(tmp_path / ".record", "one"), micrographs(tmp_path)
    for name, mic in mics.items():
        (tmp_path / name).write_text(name)
        record.add(name, mic)
    Path(mics["b"]).write_text("aligned again")
    Path(mics["c"]).unlink()
    assert record.written(mics) == {"a"}


def test_what_a_kill_has_cut_off_spoils_no_other_line(tmp_path):
    """Nor does what is no record at all."""
    file, record, mics = tmp_path / ".record", Record(tmp_path / ".record", "one"), micrographs(tmp_path)
    for name in mics:
        (tmp_path / name).write_text(name)
    record.add("a", mics["a"])
    record.add("b", mics["b"])
    file.write_bytes(file.read_bytes()[:-5])
    record.add("c", mics["c"])
    assert record.written(mics) == {"a", "c"}
    file.write_bytes(b'{\n  "identity": "one"\n}\n\xff\n3\n[1, 2]\n')
    assert record.written(mics) == set()
