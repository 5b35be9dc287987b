"""Parts, resuming, reading and compacting, on small tables made by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from random_faces import commit, faces, video

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.errors import Failure, UserError
from lpff_ray.plan.segment import Segment
from lpff_ray.plan.video import Video
from lpff_ray.tables import curated, schema
from lpff_ray.tables.compact import compact
from lpff_ray.tables.run import Run


def test_a_round_trip_keeps_every_type_and_value(run: Run) -> None:
    commit(run, "a", 0, 7)
    read = lpff_ray.scan(run.folder.root).collect()
    assert read.schema == schema.FACES
    assert read.equals(faces("a-00000", "a", 0, 7))


def test_a_run_without_any_faces_can_be_read(run: Run) -> None:
    assert lpff_ray.scan(run.folder.root).collect().schema == schema.FACES
    commit(run, "a", 0, 0)
    assert len(lpff_ray.scan(run.folder.root).collect()) == 0
    assert lpff_ray.segments(run.folder.root)["faces"].to_list() == [0]


def test_rows_come_sorted_also_for_clips_of_a_video(run: Run) -> None:
    for name, index in (("b", 1), ("a-0123abcd", 0), ("a", 1), ("a", 0), ("b", 0), ("a-0123abcd", 1)):
        commit(run, name, index, 3)
    keys = lpff_ray.scan(run.folder.root).select(schema.SORT_KEY).collect()
    assert keys.equals(keys.sort(schema.SORT_KEY))


def test_another_configuration_is_refused_and_named(run: Run) -> None:
    commit(run, "v", 0, 3)
    with pytest.raises(UserError, match=r"every = 5 there, 1 now"):
        Run(run.folder.root, MineConfig(every=1)).begin()
    assert len(Run(run.folder.root, MineConfig(every=5)).begin().done()) == 1


def test_a_folder_without_rows_takes_on_another_configuration(run: Run) -> None:
    """A run that could not start, for want of a GPU say, bound its folder to what it was asked for."""
    again = Run(run.folder.root, MineConfig(every=1)).begin()
    assert again.done() == set()
    found = json.loads((Path(run.folder.root) / "run.json").read_text())
    assert found["config"]["every"] == 1
    assert not (Path(run.folder.root) / "plan.parquet").exists(), "its segments were counted otherwise"
    Run(run.folder.root, MineConfig(every=1)).begin()


def test_a_newer_version_is_refused(run: Run) -> None:
    path = Path(run.folder.root) / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))
    with pytest.raises(UserError, match="newer lpff_ray"):
        lpff_ray.scan(run.folder.root)


def test_a_folder_without_a_run_is_a_users_mistake(tmp_path: Path) -> None:
    for read in (lpff_ray.scan, lpff_ray.videos, lpff_ray.segments, lpff_ray.quarantine):
        with pytest.raises(UserError, match=r"no run here"):
            read(str(tmp_path))


def swapped(run: Run) -> str:
    first, second = (Path(run.folder.root, f"parts/a-0000{number}.parquet") for number in (0, 1))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    return "holds another segment, a-0000"


def torn(run: Run) -> str:
    for number in (0, 1):
        Path(run.folder.root, f"parts/a-0000{number}.parquet").write_bytes(b"PAR1 torn"[: 9 * number])
    return "damaged, or not a part of lpff_ray"


def without_its_beginning(run: Run) -> str:
    for number in (0, 1):
        path = Path(run.folder.root, f"parts/a-0000{number}.parquet")
        path.write_bytes(bytes(1000) + path.read_bytes()[1000:])
    return "damaged, or not a part of lpff_ray"


def of_another_configuration(run: Run) -> str:
    other = Run(str(Path(run.folder.root).parent / "other"), MineConfig(every=1)).begin()
    for number in (0, 1):
        segment = Segment(f"a-0000{number}", video("a"), number, None, None)
        other.commit_quarantine(segment, Failure("decode", "X", "y"), 1)
        name = f"parts/a-0000{number}.parquet"
        Path(run.folder.root, name).write_bytes(Path(other.folder.root, name).read_bytes())
    return f"was mined with another configuration, {MineConfig(every=1).hash()}"


@pytest.mark.parametrize("tamper", [swapped, torn, without_its_beginning, of_another_configuration])
def test_parts_that_do_not_count_are_left_out_and_made_anew(
    run: Run, tamper: Callable[[Run], str], caplog: pytest.LogCaptureFixture
) -> None:
    """Two configurations, or another video's rows, stood in one table; one damaged part stopped every verb."""
    out = run.folder.root
    for number in range(3):
        commit(run, "a", number, 5)
    run.commit_plan([video("a", 90.0)])
    why = tamper(run)
    for read in (lpff_ray.segments, lambda out: lpff_ray.scan(out).collect()):
        assert set(read(out)["segment_id"]) == {"a-00002"}
    assert lpff_ray.videos(out)["status"].to_list() == ["pending"]
    assert f"{out}/parts/a-00000.parquet: {why}" in caplog.text
    assert len(list(Path(out).glob("parts/*"))) == 3, "reading moves nothing"
    assert Run(out, run.config).begin().done() == {"a-00002"}
    assert f"{why}" in caplog.text
    assert "moved to damaged/, its segment is mined again" in caplog.text
    assert sorted(path.name for path in Path(out).glob("damaged/*")) == ["a-00000.parquet", "a-00001.parquet"]
    commit(run, "a", 0, 5), commit(run, "a", 1, 5)
    assert len(lpff_ray.scan(out).collect()) == 15
    assert compact(out).faces == 15


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("change", ["removed", "of another run"])
def test_rows_do_not_change_their_configuration(run: Run, compacted: bool, change: str) -> None:
    """A removed `run.json` let another configuration mix with the rows there."""
    out = run.folder.root
    commit(run, "a", 0, 5)
    if compacted:
        compact(out)
    (Path(out) / "run.json").unlink()
    if change == "of another run":
        other = Run(str(Path(out).parent / "other"), MineConfig(every=1)).begin()
        (Path(out) / "run.json").write_bytes(Path(other.folder.root, "run.json").read_bytes())
    with pytest.raises(UserError, match=r"mined with another configuration .*; restore run.json from a copy"):
        Run(out, MineConfig(every=1))
    (Path(out) / "run.json").unlink(missing_ok=True)
    assert Run(out, run.config).begin().done() == {"a-00000"}, "the same one goes on"


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{}", '{"schema_version": 1}', '{"schema_version": "1", "config": {}}'),
        *('{"schema_version": 1, "config": []}', '{"schema_version": true, "config": {}}'),
    ],
)
def test_a_damaged_run_file_is_one_line(run: Run, content: str) -> None:
    commit(run, "a", 0, 5)
    (Path(run.folder.root) / "run.json").write_text(content)
    for act in (lambda: Run(run.folder.root, run.config), lambda: lpff_ray.scan(run.folder.root)):
        with pytest.raises(UserError, match=r"run.json: damaged \(.*\); restore it from a copy"):
            act()


def test_two_runs_that_plan_at_once_lose_no_source(run: Run) -> None:
    names = [f"v{number}" for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda name: Run(run.folder.root, run.config).commit_plan([video(name)]), names))
    assert sorted(lpff_ray.videos(run.folder.root)["video_id"]) == sorted(names)


@pytest.mark.parametrize("left", [b"", b"PAR1 torn", None])
def test_a_damaged_table_is_named_with_its_remedy(run: Run, left: bytes | None) -> None:
    out = Path(run.folder.root)

    def damage(file: Path) -> None:
        """Overwrite a file, or for None its first half: the footer of that one is whole."""
        content = file.read_bytes()
        file.write_bytes(
            left if left is not None else bytes(len(content) // 2) + content[len(content) // 2 :]
        )

    run.commit_plan([video("a")])
    commit(run, "a", 0, 20)
    compact(str(out))
    damage(out / "plan.parquet")
    for act in (lambda: lpff_ray.videos(str(out)), lambda: run.commit_plan([video("b")])):
        with pytest.raises(UserError, match=r"plan.parquet.*damaged; remove it and run `mine` again"):
            act()
    damage(out / "tables" / "segment-0001.parquet")
    with pytest.raises(UserError, match=r"tables/segment-0001.parquet.*damaged; restore it"):
        lpff_ray.segments(str(out))
    if left is not None:
        damage(out / "tables" / "faces-0001-00000.parquet")
        with pytest.raises(UserError, match=r"tables/faces-0001-00000.parquet.*damaged; restore it"):
            lpff_ray.scan(str(out))
    damage(out / "tables" / "compacted.json")
    with pytest.raises(UserError, match=r"tables/compacted.json: damaged; restore it"):
        lpff_ray.scan(str(out))


def test_damaged_tables_of_curation_are_named_with_their_remedies(run: Run) -> None:
    out = run.folder.root
    tables = {
        "tables/dedupe.parquet": (lambda: lpff_ray.dedupe_marks(out), "remove it and run lpff-ray dedupe"),
        "tables/identities.parquet": (lambda: lpff_ray.identities(out), "remove it and run lpff-ray dedupe"),
        "tables/review.parquet": (lambda: lpff_ray.review_state(out), "review again"),
        "selections/s.parquet": (lambda: lpff_ray.selection(out, "s"), "lpff-ray select"),
    }
    for name, (read, remedy) in tables.items():
        run.folder.commit(name, b"PAR1 torn")
        with pytest.raises(UserError, match=rf"{name}: not a table of lpff_ray, or damaged; .*{remedy}"):
            read()
    with pytest.raises(UserError, match=r"dedupe.parquet.*damaged"):
        curated.earlier_marks(run.folder)


def test_a_duplicate_has_no_work_of_its_own(run: Run) -> None:
    """The sums of the video that it repeats were counted once more for every copy: 3 of 1 segments mined."""
    run.commit_plan([video("a"), replace(video("a"), uri="/videos/copy.mp4", status="duplicate")])
    commit(run, "a", 0, 5), commit(run, "a", 1, 5)
    table = lpff_ray.videos(run.folder.root)
    assert table["status"].to_list() == ["done", "duplicate"]
    assert table["faces"].to_list() == [10, None]
    assert table["segments_done"].to_list() == [2, 0]


def test_videos_tell_the_truth_about_their_segments(run: Run) -> None:
    plan = [video("a"), video("b"), video("c"), video("d"), video("e", 30.0)]
    lost = Video("f", "/videos/f.txt", "", 5, "not_media", reason="neither a video nor a photo")
    run.commit_plan([*plan, lost])
    commit(run, "a", 0, 2), commit(run, "a", 1, 3)
    commit(run, "b", 0, 1)
    commit(run, "c", 0, 1, "a"), commit(run, "c", 1, 4)
    failure = Failure("decode", "Timeout", "not done after 60 s", "decord")
    run.commit_quarantine(Segment("c-00000b", plan[2], 0, None, None), failure, 4)
    run.commit_quarantine(Segment("e-00000", plan[4], 0, None, None), failure, 4)
    table = lpff_ray.videos(run.folder.root)
    assert table.schema == schema.VIDEOS
    rows = {row["video_id"]: row for row in table.iter_rows(named=True)}
    status = {name: row["status"] for name, row in rows.items()}
    assert status == {
        "a": "done",
        "b": "pending",
        "c": "partial",
        "d": "pending",
        "e": "failed",
        "f": "not_media",
    }
    assert (rows["a"]["faces"], rows["a"]["segments_done"]) == (5, 2)
    assert rows["e"]["reason"] == "not done after 60 s"
    given_up = lpff_ray.quarantine(run.folder.root)
    assert given_up["segment_id"].to_list() == ["c-00000b", "e-00000"]
    assert given_up["attempts"].to_list() == [4, 4]


def test_quarantined_segments_are_done_until_forgotten(run: Run) -> None:
    segment = Segment("a-00000", video("a"), 0, None, None)
    run.commit_quarantine(segment, Failure("decode", "Timeout", "late"), 4)
    assert run.done() == {"a-00000"}
    assert run.forget_quarantined() == 1
    assert run.done() == set()
