"""Parts on an object store: the end of each is read, and what does not count is moved."""

from __future__ import annotations

from pathlib import Path

import pytest
from random_faces import CONFIG, commit, video

import lpff_ray
from lpff_ray.storage import lock
from lpff_ray.tables import parts
from lpff_ray.tables.compact import compact
from lpff_ray.tables.run import Run


def test_parts_of_an_object_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "SETTLE_S", 0.0)
    out = f"memory:/{tmp_path}/out"
    run = Run(out, CONFIG).begin()
    run.commit_plan([video("a")])
    for number in range(3):
        commit(run, "a", number, 200 * number)  # the last is longer than what is read of its end
    content = run.folder.read("parts/a-00000.parquet")
    assert content is not None
    assert len(run.folder.read("parts/a-00002.parquet") or b"") > parts.END_BYTES
    assert Run(out, CONFIG).done() == {"a-00000", "a-00001", "a-00002"}
    run.folder.commit("parts/a-00001.parquet", content)
    run.folder.commit("parts/a-00000.parquet", content[:100])
    assert lpff_ray.segments(out)["segment_id"].to_list() == ["a-00002"]
    assert Run(out, CONFIG).begin().done() == {"a-00002"}
    assert run.folder.names("damaged", ".parquet") == ["a-00000.parquet", "a-00001.parquet"]
    assert compact(out).faces == 400
    assert run.folder.names("parts", ".parquet") == []


def test_a_footer_that_is_longer_than_what_is_read_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "END_BYTES", 100)
    for out in (str(tmp_path / "out"), f"memory:/{tmp_path}/long"):
        run = Run(out, CONFIG).begin()
        commit(run, "a", 0, 20)
        assert lpff_ray.segments(out)["faces"].to_list() == [20]
