"""Exports on Ray: the same bytes as in one process, also when exporters die."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import polars as pl
import pytest
import ray
from clips import portrait, write_clip

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.errors import UserError
from lpff_ray.exports.format import ExportFormat, File, OutputFile, Record
from lpff_ray.exports.formats.stylegan import StyleGan
from lpff_ray.exports.job import export, make_units
from lpff_ray.exports.units import ExportUnit, plan_units
from lpff_ray.exports.video import OpenedVideo
from lpff_ray.run.workers import Limits
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import schema
from lpff_ray.tables.curated import write_selection

pytestmark = pytest.mark.ray


class OddFormat(ExportFormat):
    """Does with each unit what its video's `uri` says, and notes in `log` that it began."""

    log: str

    name: ClassVar[str] = "odd"
    needs_frames: ClassVar[bool] = False

    def unit(self, video: OpenedVideo | None, rows: pl.DataFrame) -> Iterator[tuple[list[File], Record]]:
        action, name = rows["uri"][0].split(":")
        with open(self.log, "a") as log:
            log.write(f"{name} {os.getpid()}\n")
        first = Path(self.log).read_text().count(f"{name} ") == 1
        yield [OutputFile(f"{name}.txt", b"made")], {"index": rows["index"][0], "face_id": name}
        time.sleep(0.3)  # let the neighbour begin
        if action == "exit" or (action == "exit-first" and first):
            os._exit(1)
        if action == "hang" and first:
            time.sleep(1000)
        if action == "raise":
            raise ZeroDivisionError("a bug of the format")


@pytest.fixture(autouse=True, scope="module")
def _by_value() -> Iterator[None]:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers can not import it
    yield
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def units_of(*uris: str) -> tuple[list[ExportUnit], pl.DataFrame]:
    count = len(uris)
    rows = pl.DataFrame(
        {
            "index": range(count),
            "video_id": [f"v{place}" for place in range(count)],
            "uri": uris,
            "frame_index": [0] * count,
            "pts_ns": [0] * count,
        }
    )
    return plan_units(OddFormat(log=""), rows, {}), rows


def test_deaths_and_hangs_cost_the_innocent_nothing(
    local_node: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned, _ = units_of("ok:a", "exit-first:b", "ok:c", "exit:d", "raise:e", "hang:f", "ok:g")
    log, dest = tmp_path / "log", tmp_path / "dest"
    dest.mkdir()
    results, failed, report = make_units(
        planned,
        OddFormat(log=str(log)),
        str(dest),
        executor="ray",
        workers=2,
        limits=Limits(base_s=0.0, per_second=0.0, warm_up_s=0.0, nodes_s=1.0),
    )
    assert sorted(result.unit_id for result in results) == [f"v{place}-0-0" for place in (0, 1, 2, 5, 6)]
    assert failed == {
        "exit:d": "the worker died: a crash, or killed by the system",
        "raise:e": "a bug of the format",
    }
    assert {path.name for path in dest.glob("[!.]*")} == {f"{name}.txt" for name in "abcfg"}, (
        "whole or absent"
    )
    begun = [line.split()[0] for line in log.read_text().splitlines()]
    assert 3 <= begun.count("e") <= 4, "a neighbour that dies may cut one try short"
    assert 3 <= begun.count("d") <= 4
    assert (report.unfinished, report.interrupted) == (0, False)
    assert "exporter on" in capsys.readouterr().err
    kept = "".join(path.read_text() for path in (dest / ".lpff_ray" / "logs").glob("failures-*.jsonl"))
    assert "ZeroDivisionError: a bug of the format" in kept, "the traceback is kept"
    assert not list(dest.glob(".visible-*"))


def test_what_concerns_the_whole_export_ends_it(local_node: None, tmp_path: Path) -> None:
    planned, _ = units_of("ok:a")
    with pytest.raises(UserError, match="use --executor local"):
        make_units(planned, OddFormat(log="/nowhere/log"), "memory://dest", executor="ray")


def test_same_bytes_as_in_one_process(local_node: None, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    for number in range(2):
        write_clip(clips / f"{number}.mp4", 20 + number, size=(320, 240), picture_of=portrait)
    out = str(tmp_path / "run")
    lpff_ray.mine(str(clips), out, MineConfig(every=4), workers=1)
    faces = lpff_ray.scan(out).select("face_id").with_row_index("rank").collect()
    assert len(faces) >= 10
    rows = schema.frame(
        {"face_id": faces["face_id"].to_list(), "rank": faces["rank"].to_list()}, schema.SELECTION
    )
    write_selection(Folder(out), "all", rows, {})
    local = export(out, "all", StyleGan(size=512), str(tmp_path / "local"), workers=1)
    on_ray = export(out, "all", StyleGan(size=512), str(tmp_path / "ray"), executor="ray", workers=1)
    assert (on_ray.made, on_ray.files, on_ray.size_bytes) == (local.made, local.files, local.size_bytes)

    def tree(folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        }

    assert tree(tmp_path / "ray") == tree(tmp_path / "local")
    again = export(out, "all", StyleGan(size=512), str(tmp_path / "ray"))
    assert again.made_before == local.made, "either executor goes on with the other's"
