"""What is noted of tables that are written."""

from __future__ import annotations

from pupicker.engine.picking.record import Record


def test_a_table_counts_while_it_is_as_it_was_written(tmp_path):
    one, other = (Record(tmp_path / ".record", identity) for identity in ("one", "other"))
    assert one.written() == set()
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
        one.add(tmp_path / name)
    assert one.written() == {"a", "b", "c"} and other.written() == set()
    (tmp_path / "a").write_text("another")
    other.add(tmp_path / "a")
    (tmp_path / "b").unlink()
    assert one.written() == {"c"} and other.written() == {"a"}
    one.forget({"c", "b"})
    assert one.written() == set() and other.written() == {"a"}
    other.forget({"a"})
    assert not (tmp_path / ".record").exists()
    other.forget({"a"})


def test_what_a_kill_has_cut_off_spoils_no_other_line(tmp_path):
    """Nor does what is no record at all."""
    file, record = tmp_path / ".record", Record(tmp_path / ".record", "one")
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    record.add(tmp_path / "a")
    record.add(tmp_path / "b")
    file.write_bytes(file.read_bytes()[:-5])
    record.add(tmp_path / "c")
    assert record.written() == {"a", "c"}
    file.write_bytes(b'{\n  "identity": "one"\n}\n\xff\n3\n[1, 2]\n')
    assert record.written() == set()
