"""A source's host, bucket or disk that is away costs no segment; a file that fails alone costs itself."""

from __future__ import annotations

import functools
import random
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cut_off
import pytest
import reader
from clips import portrait, write_clip
from command import call
from pooled import Pooled, pooled
from servers import FaultyServer, faulty_server

from lpff_ray.errors import Failure, Unavailable, UserError
from lpff_ray.run import mine as mine_module
from lpff_ray.run.faults import places
from lpff_ray.run.lease import Lease
from lpff_ray.run.workers import Limits, WorkerHandle
from lpff_ray.storage import filesystems

Work = Callable[..., Pooled]
COUNT = 6


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FaultyServer]:
    """A server of files 0 to 5."""
    (tmp_path / "www").mkdir()
    for number in range(COUNT):
        (tmp_path / "www" / str(number)).write_bytes(bytes([number]) * 1000)
    with faulty_server(tmp_path / "www") as serving:
        yield serving


@pytest.fixture
def work(tmp_path: Path) -> Work:
    """Have a pool of threads read files."""
    make_worker = functools.partial(reader.Reader, str(tmp_path))
    return functools.partial(pooled, "local", tmp_path, workers=1, make_worker=make_worker)


@pytest.fixture
def ray_work(local_node: None, tmp_path: Path) -> Work:
    """Have an actor read files."""
    import ray.cloudpickle

    ray.cloudpickle.register_pickle_by_value(reader)
    make_worker = functools.partial(reader.Reader, str(tmp_path))
    return functools.partial(pooled, "ray", tmp_path, workers=1, make_worker=make_worker)


def segments(server: FaultyServer) -> list[reader.Segment]:
    return [reader.file_segment(f"{server.address}/{number}") for number in range(COUNT)]


def everything() -> set[str]:
    return {str(number) for number in range(COUNT)}


@pytest.mark.parametrize("fault", ["refuse", 503, 403])
def test_a_host_that_is_away_for_a_while_costs_no_segment(
    work: Work, server: FaultyServer, fault: int | str
) -> None:
    """193 of 200 segments were quarantined within seconds."""
    host_is_away_for_a_while(work, server, fault)


@pytest.mark.ray
def test_the_same_on_ray(ray_work: Work, server: FaultyServer) -> None:
    host_is_away_for_a_while(ray_work, server, "refuse")


def host_is_away_for_a_while(work: Work, server: FaultyServer, fault: int | str) -> None:

    def restore() -> None:
        server.fault = None
        if fault == "refuse":
            server.listen()

    def restore_soon(note: str) -> None:
        if "is away" in note:
            threading.Timer(1.0, restore).start()

    items = segments(server)
    if fault == "refuse":
        server.refuse()
    else:
        server.fault = fault
    found = work(items, on_note=restore_soon)
    assert found.done() == everything()
    assert found.given_up == []
    assert found.report.retries == 0, "no attempt is counted"
    assert found.text.count(f"{server.address} is away") == 1
    assert f"{server.address} is back after " in found.text


@pytest.mark.ray
def test_workers_that_can_not_reach_what_the_driver_reaches_end_the_job_and_nothing_is_given_up(
    local_node: None, s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every segment was quarantined, and the next run, with good credentials, did nothing."""
    import fsspec
    import ray.cloudpickle

    for module in (reader, cut_off):
        ray.cloudpickle.register_pickle_by_value(module)
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    bucket = fsspec.filesystem("s3")
    bucket.mkdir("videos")
    for number in range(COUNT):
        bucket.pipe(f"videos/{number}", b"x")
    items = [reader.file_segment(f"s3://videos/{number}") for number in range(COUNT)]
    env = {
        "AWS_ENDPOINT_URL": s3,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
    }
    with_keys, without = ({**env, **given} for given in (keys, dict.fromkeys(keys)))
    work = functools.partial(pooled, "ray", tmp_path, items, workers=1)
    said = r"it can not reach s3://videos \(access denied or no credentials: .*\), which this process can; no node is "
    with pytest.raises(UserError, match=said):
        work(make_worker=functools.partial(cut_off.CutOff, str(tmp_path), without))
    assert not list(tmp_path.glob("*.done"))
    kept = [path.read_text() for path in (tmp_path / "logs").glob("failures-*.jsonl")]
    assert "".join(kept) == "", "no attempt counted against a segment"
    again = work(make_worker=functools.partial(cut_off.CutOff, str(tmp_path), with_keys))
    assert again.done() == everything()
    assert again.given_up == []


class OtherWorkers:
    """Stands for workers on two nodes, of which one can not reach what this process reaches."""

    def __init__(self, cut_off: WorkerHandle) -> None:
        self.cut_off, self.excluded = cut_off, list[WorkerHandle]()

    def why_away(self, handle: WorkerHandle, place: str, uris: list[str]) -> str:
        return "access denied" if handle is self.cut_off else ""

    def exclude(self, handle: WorkerHandle, why: str) -> None:
        self.excluded.append(handle)


def test_a_node_that_is_cut_off_leaves_and_its_segments_go_to_others_at_no_cost(server: FaultyServer) -> None:
    good, bad = WorkerHandle("good", 1), WorkerHandle("bad", 1)
    workers: Any = OtherWorkers(bad)
    items = segments(server)
    tried = places.Places(items, mine_module.POLICY, Limits(), lambda note: None)
    failure = Failure("open", "PermissionError", "access denied", place=server.address)
    queue: deque[Lease[reader.Segment]] = deque()
    assert tried.suspect(Lease(items[0]), failure, bad)
    assert tried.suspect(Lease(items[1]), failure, good)
    until = time.monotonic() + 20
    while not queue and time.monotonic() < until:
        assert tried.settle(queue, workers) == []
    assert workers.excluded == [bad]
    assert queue.popleft().item is items[0]
    while not queue and time.monotonic() < until:
        assert tried.settle(queue, workers) == []
    assert queue.popleft().item is items[1], "tried again after a while, which counts"
    tried.close()


@pytest.mark.parametrize("fault", [403, 500, "cut"])
def test_a_file_that_fails_while_others_of_its_host_do_not_is_given_up(
    work: Work, server: FaultyServer, fault: int | str
) -> None:
    server.fault, server.hits = fault, lambda path: path == "/3"
    found = work(segments(server), place_retries=1)
    assert found.done() == everything() - {"3"}
    assert [name for name, *_ in found.given_up] == ["3-00000"]
    assert "is away" not in found.text
    assert f"{server.address} failed for 3-00000: " in found.text


@pytest.mark.parametrize("fault", ["refuse", 403])
def test_a_host_that_stays_away_ends_the_job_and_nothing_is_given_up(
    work: Work, server: FaultyServer, tmp_path: Path, fault: int | str
) -> None:
    (tmp_path / "other").write_bytes(b"elsewhere")
    items = [*segments(server), reader.file_segment(str(tmp_path / "other"))]
    if fault == "refuse":
        server.refuse()
    else:
        server.fault = fault
    with pytest.raises(Unavailable, match="6 segments are left, none was given up: run the same command"):
        work(items, place_s=1.0)
    assert {path.name for path in tmp_path.glob("*.done")} == {"other-00000.done"}, "the rest is done first"


def test_a_server_that_stalls_is_tried_again_after_a_while(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filesystems, "SILENCE_S", 0.5)
    server.fault, server.hits = "stall", lambda path: path == "/3" and server.asked.count("/3") < 2
    began = time.monotonic()
    make_worker = functools.partial(reader.Reader, str(tmp_path))
    found = pooled("local", tmp_path, segments(server), workers=1, make_worker=make_worker)
    assert found.done() == everything()
    assert time.monotonic() - began < 10
    assert f"{server.address} failed for 3-00000: " in found.text
    assert "the server sent nothing for too long" in found.text


def test_flickering_failures_cost_nothing(work: Work, server: FaultyServer) -> None:
    server.fault, chance = 500, random.Random(1)
    server.hits = lambda path: chance.random() < 0.3
    found = work(segments(server))
    assert found.done() == everything()
    assert found.given_up == []


def test_a_folder_that_is_away_for_a_while(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "disk" / "videos"
    folder.mkdir(parents=True)
    for number in range(COUNT):
        (folder / str(number)).write_bytes(b"x")
    items = [reader.file_segment(str(folder / str(number))) for number in range(COUNT)]
    folder.parent.rename(tmp_path / "away")
    (tmp_path / "disk").mkdir()  # what a mount point shows while nothing is mounted

    def mount(note: str) -> None:
        if "is away" in note:
            (tmp_path / "disk").rmdir()
            (tmp_path / "away").rename(tmp_path / "disk")

    monkeypatch.setattr(
        places, "identity_of", lambda folder: (1, 1)
    )  # as if it went away after the job began
    found = work(items, on_note=mount)
    assert found.done() == everything()
    assert found.given_up == []
    assert f"{tmp_path / 'disk'} is away (the folder is empty: is its disk mounted?)" in found.text
    assert f"{tmp_path / 'disk'} is back after" in found.text


def test_a_file_that_is_gone_is_given_up_at_once(work: Work, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"x")
    items = [reader.file_segment(str(tmp_path / name)) for name in ("a", "gone", "b")]
    found = work(items)
    assert found.done() == {"a", "b"}
    assert [name for name, *_ in found.given_up] == ["gone-00000"]
    assert "away" not in found.text


def test_a_folder_that_was_never_there_is_not_waited_for(work: Work) -> None:
    found = work([reader.file_segment("/nowhere/at/all.mp4")])
    assert [name for name, *_ in found.given_up] == ["all.mp4-00000"]
    assert "away" not in found.text


def test_the_command_line_ends_with_code_75_and_resumes(tmp_path: Path) -> None:
    videos, out = tmp_path / "videos", tmp_path / "out"
    videos.mkdir()
    for number in range(2):
        write_clip(videos / f"{number}.mp4", 8 + number, size=(320, 240), picture_of=portrait)
    command = ("mine", videos, "--out", out, "--every", "4", "--wait-for-sources", "1")
    plan = mine_module.plan
    with pytest.MonkeyPatch.context() as patched:

        def planned_then_unmounted(*arguments: object, **options: object) -> object:
            found = plan(*arguments, **options)  # type: ignore[arg-type]
            shutil.move(videos, tmp_path / "away")
            return found

        patched.setattr(mine_module, "plan", planned_then_unmounted)
        patched.setattr(places, "identity_of", lambda folder: (1, 1))
        away = call(*command)
    assert away.returncode == 75
    said = away.stderr.splitlines()[-1]
    assert said.startswith(
        f"lpff-ray: {videos} (the folder is not there) stayed away for 1 s; 2 segments are left"
    )
    shutil.move(tmp_path / "away", videos)
    again = call(*command)
    assert again.returncode == 0
    assert "2 segments mined now, 0 before, of 2" in again.stdout
