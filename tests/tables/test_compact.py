"""Compacting: the same rows in fewer files, also where it was cut short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from random_faces import commit, video

import lpff_ray
from lpff_ray.errors import Failure, UserError
from lpff_ray.plan.segment import Segment
from lpff_ray.storage.lock import locked
from lpff_ray.tables import compact as compact_module
from lpff_ray.tables import schema
from lpff_ray.tables.compact import compact
from lpff_ray.tables.run import Run
from lpff_ray.tables.run_folder import BUSY, LOCKS


def test_compacting_changes_where_rows_lie_and_nothing_else(run: Run) -> None:
    out = run.folder.root
    run.commit_plan([video("a"), video("b")])
    for name, index in (("b", 0), ("a", 1), ("a", 0)):
        commit(run, name, index, 50)
    run.commit_quarantine(Segment("b-00001", video("b"), 1, None, None), Failure("decode", "X", "y"), 1)
    before = (
        lpff_ray.scan(out).collect(),
        lpff_ray.segments(out),
        lpff_ray.quarantine(out),
        lpff_ray.videos(out),
    )
    done = run.done()
    assert compact(out).parts_gathered == 4
    assert list((Path(out) / "parts").glob("*.parquet")) == []
    after = (
        lpff_ray.scan(out).collect(),
        lpff_ray.segments(out),
        lpff_ray.quarantine(out),
        lpff_ray.videos(out),
    )
    assert all(x.equals(y) for x, y in zip(before, after, strict=True))
    assert run.done() == done
    commit(run, "a", 2, 10)
    grown = lpff_ray.scan(out).collect()
    assert len(grown) == 160
    assert grown.select(schema.SORT_KEY).equals(grown.select(schema.SORT_KEY).sort(schema.SORT_KEY))
    assert compact(out).faces == 160
    assert len(list((Path(out) / "tables").glob("faces-*.parquet"))) == 1


def test_compacting_while_parts_are_committed_counts_every_segment(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that came while tables were written was in some of them: 3 of 4 segments counted, for good."""
    out = run.folder.root
    run.commit_plan([video("a"), video("b")])
    for index in range(2):
        commit(run, "a", index, 5)
    names = iter([("b", 0), ("b", 1)])
    write = compact_module._write

    def write_while_mining(*arguments: Any) -> None:
        if (segment := next(names, None)) is not None:
            commit(run, *segment, 5)
        write(*arguments)

    monkeypatch.setattr(compact_module, "_write", write_while_mining)
    assert compact(out).parts_gathered == 2
    for _ in range(2):
        assert lpff_ray.videos(out)["status"].to_list() == ["done", "done"]
        assert lpff_ray.videos(out)["segments_done"].to_list() == [2, 2]
        assert len(lpff_ray.scan(out).collect()) == 20
        assert len(lpff_ray.segments(out)) == 4
        compact(out)


def test_a_second_one_at_once_is_refused(run: Run) -> None:
    commit(run, "a", 0, 20)
    with locked(run.folder, f"{LOCKS}/tables", BUSY):
        with pytest.raises(
            UserError, match="another process writes the tables of this run; wait until it ends"
        ):
            compact(run.folder.root)
        assert len(lpff_ray.scan(run.folder.root).collect()) == 20
    assert compact(run.folder.root).faces == 20


def test_a_compaction_that_was_cut_short_loses_and_doubles_nothing(run: Run) -> None:
    out = run.folder.root
    commit(run, "a", 0, 20)
    part = Path(out) / "parts" / "a-00000.parquet"
    content = part.read_bytes()
    compact(out)
    part.write_bytes(content)  # as if it had been killed before it removed the parts
    stale = part.parent.parent / "tables" / "faces-0000-00000.parquet"
    stale.write_bytes(content)  # and before it removed what it had gathered earlier
    assert len(lpff_ray.scan(out).collect()) == 20
    assert len(lpff_ray.segments(out)) == 1
    compact(out)
    assert not part.exists()
    assert not stale.exists()
    assert len(lpff_ray.scan(out).collect()) == 20
