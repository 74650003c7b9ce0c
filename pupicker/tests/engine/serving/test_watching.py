from __future__ import annotations

from types import SimpleNamespace

import pytest

from pupicker.engine.serving.watching import AGAIN_S, Watch, Watched


@pytest.fixture
def watched(tmp_path):
    """A watch of three micrographs, the requests it makes, and its clock."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.mrc").write_bytes(b"pixels")
    now, asked, told = [100.0], [], []
    server = SimpleNamespace(ask=lambda request, reply: asked.append((request, reply)))
    watch = Watch(Watched(folder, tmp_path / "out", "pick", {"format": "star"}, 0.0), server, told.append,
                  lambda: now[0])
    return watch, now


def names(paths):
    return "".join(path.stem for path in paths)


def test_after_an_error_that_is_nobodys_it_is_tried_again_later(watched):
    """New ones are not kept waiting, and what the error met goes last: it may be its fault."""
    watch, now = watched
    ready = watch.ready()
    assert names(ready) == "abc"
    watch._asked = list(ready)
    watch._take({"event": "micrograph", "micrograph": str(ready[0])})
    watch._take({"event": "error", "error": "b.star: No space left on device"})
    assert watch.ready() == []
    (ready[0].parent / "d.mrc").write_bytes(b"pixels")
    assert names(watch.ready()) == "d"
    now[0] += AGAIN_S
    assert names(watch.ready()) == "cdb"


def test_what_programs_write_beside_micrographs_is_left_out(watched, caplog):
    """Said once; compressed micrographs are taken."""
    watch, _ = watched
    for name in ("a_PS.mrc", "b_ps.mrc", "gain.mrc", "d.mrc.gz", "e.png"):
        (watch._watched.folder / name).write_bytes(b"pixels")
    assert sorted(path.name for path in watch.ready()) == ["a.mrc", "b.mrc", "c.mrc", "d.mrc.gz"]
    assert sorted(path.name for path in watch.ready()) == ["a.mrc", "b.mrc", "c.mrc", "d.mrc.gz"]
    assert len(caplog.records) == 2 and "looks like power spectra" in caplog.text


def test_what_cannot_be_used_is_tried_again_when_it_has_changed(watched):
    watch, now = watched
    first = watch.ready()[0]
    watch._take({"event": "quarantined", "micrograph": str(first)})
    now[0] += AGAIN_S
    assert names(watch.ready()) == "bc"
    first.write_bytes(b"other pixels")
    assert names(watch.ready()) == "bca"
