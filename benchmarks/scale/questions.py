"""`python -m benchmarks.scale.questions`: asks the ten questions of docs/questions.md of 450,000 made-up faces.

The lines are read from the page itself, so that what is documented is what is measured. `--answers RUN` instead writes
the answers of a real run into the page.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
import typer
from rich.console import Console
from rich.table import Table

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.plan.video import Video
from lpff_ray.tables import parts, schema
from lpff_ray.tables.compact import compact
from lpff_ray.tables.run import Run
from lpff_ray.tables.run_folder import TABLES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "questions.md"
_QUESTION = re.compile(
    r"^## (?P<title>\d+\. [^\n]+)\n(?P<said>.*?)```python\n(?P<line>.*?)```\n(?:\n(?:\|[^\n]*\n)+)?",
    re.MULTILINE | re.DOTALL,
)
_BINS = (
    "frontal",
    "profile_left",
    "profile_right",
    "profile_up",
    "profile_down",
    "profile_extreme",
    "confused",
)


@dataclass(frozen=True)
class Question:
    """A question of the page and the Polars expression that answers it."""

    title: str
    line: str

    def ask(self, out: str) -> pl.DataFrame:
        """The answer of the run `out`; opening its tables is part of it."""
        names: dict[str, Any] = {"OUT": out}
        exec(setup(), names)
        names["OUT"] = out
        return eval(compile(ast.parse(self.line.strip(), mode="eval"), self.title, "eval"), names)


def setup() -> str:
    """The page's first lines: imports and names that every question uses."""
    return PAGE.read_text("utf-8").split("```python\n", 1)[1].split("```", 1)[0]


def questions() -> list[Question]:
    """The questions of the page, in order."""
    return [Question(found["title"], found["line"]) for found in _QUESTION.finditer(PAGE.read_text("utf-8"))]


def synthetic_run(out: str, videos: int, faces_each: int, seed: int = 0) -> None:
    """A finished, deduped and compacted run of random numbers in every column.

    They compress worse than a real run's. (Those of `synthetic.make_run` are constant where dedupe does not look, and
    would be read too fast.) Every video is one person in ten tracks; every second face is a duplicate.
    """
    random = np.random.default_rng(seed)
    run = Run(out, MineConfig(every=5)).begin()
    listed = [
        Video(f"{i:016x}", f"/videos/{i:06d}.mp4", "video", 1, "planned", duration_s=30.0, fps=25.0)
        for i in range(videos)
    ]
    run.commit_plan(listed)
    marks = []
    for video in listed:
        name = f"{video.video_id}-00000"
        faces = _faces(video, name, faces_each, random)
        record = dict.fromkeys(schema.SEGMENTS, None) | {
            "segment_id": name,
            "video_id": video.video_id,
            "faces": faces_each,
            "frames_looked_at": faces_each,
            "decoder": "none",
        }
        parts.commit_part(run.folder, name, faces, "segment", record, run.config.hash())
        kept = pl.int_range(pl.len()) % 2 == 0
        marks.append(faces.select("face_id", identity_id="video_id", stitched_track_id="track_id", keep=kept))
    table = pl.concat(marks).with_columns(
        pl.lit(None, kind).alias(name) for name, kind in schema.DEDUPE.items() if name not in marks[0].columns
    )
    run.folder.commit(f"{TABLES}/dedupe.parquet", schema.parquet_bytes(table.select(schema.DEDUPE.names())))
    compact(out)


def _faces(video: Video, segment_id: str, count: int, random: np.random.Generator) -> pl.DataFrame:
    frames = np.arange(count) * 5
    yaw, pitch = random.normal(0, 35, count), random.normal(0, 15, count)
    columns: dict[str, Any] = {
        "face_id": [f"{video.video_id}:{frame}:0" for frame in frames],
        "video_id": [video.video_id] * count,
        "uri": [video.uri] * count,
        "clip_id": [""] * count,
        "segment_id": [segment_id] * count,
        "track_id": [f"{segment_id}:{10 * i // count}" for i in range(count)],
        "frame_index": frames,
        "pts_ns": frames * 40_000_000,
        "face_index": np.zeros(count, np.int16),
        "yaw": yaw,
        "pitch": pitch,
        "pose_votes": [
            [{"estimator": name, "yaw": y + 1, "pitch": p, "roll": 0.0} for name in ("facemesh", "blazeface")]
            for y, p in zip(yaw.tolist(), pitch.tolist(), strict=True)
        ],
        "phash": random.integers(0, 2**63, count, dtype=np.uint64),
    }
    for name, kind in schema.FACES.items():
        if name in columns:
            continue
        if isinstance(kind, pl.Array):
            values = random.normal(0, 100, (count, *kind.shape)).astype(np.float32)
            if name == "embedding":
                values /= np.linalg.norm(values, axis=1, keepdims=True)
            columns[name] = pl.Series(name, values, dtype=kind)
        elif kind == pl.String:
            columns[name] = np.array(_BINS)[random.integers(0, len(_BINS), count)].tolist()
        else:
            columns[name] = random.uniform(0, 100, count)
    return pl.DataFrame(columns).select(pl.col(name).cast(kind) for name, kind in schema.FACES.items())


def timed(out: str, threads: int, rounds: int) -> pl.DataFrame:
    """Seconds of every question: best and worst of some rounds, each in one process of so many threads."""
    limits = {"POLARS_MAX_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    code = f"from benchmarks.scale.questions import print_times; print_times({out!r}, {rounds})"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | limits, stdout=subprocess.PIPE, check=True
    )
    return pl.read_json(done.stdout)


def print_times(out: str, rounds: int) -> None:
    """What `timed` has its process do: print a JSON table of question, first, best, worst, cpu (seconds), rows."""
    rows = []
    for question in questions():
        walls, cpus, answer = [], [], pl.DataFrame()
        for _ in range(rounds):
            wall, cpu = time.perf_counter(), time.process_time()
            answer = question.ask(out)
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
        rows.append(
            {
                "question": question.title,
                "first": walls[0],
                "best": min(walls),
                "worst": max(walls),
                "cpu": min(cpus),
                "rows": len(answer),
            }
        )
    print(pl.DataFrame(rows).write_json())


def answered(page: str, out: str) -> str:
    """The page with the answers of a run below its questions, in place of those that stand there."""

    def with_answer(found: re.Match[str]) -> str:
        answer = Question(found["title"], found["line"]).ask(out)
        with pl.Config(
            tbl_formatting="MARKDOWN",
            tbl_hide_column_data_types=True,
            tbl_hide_dataframe_shape=True,
            tbl_rows=12,
            tbl_cols=-1,
            tbl_width_chars=400,
            fmt_str_lengths=80,
            fmt_table_cell_list_len=3,
            float_precision=2,
        ):
            table = "\n".join(line for line in str(answer).splitlines() if line.startswith("|"))
        return f"## {found['title']}\n{found['said']}```python\n{found['line']}```\n\n{table}\n"

    return _QUESTION.sub(with_answer, page)


def main(
    rows: Annotated[int, typer.Option(help="Faces to make up.")] = 450_000,
    threads: Annotated[int, typer.Option(help="Threads that Polars may use.")] = 2,
    rounds: Annotated[int, typer.Option(help="How often to ask each question.")] = 5,
    folder: Annotated[str, typer.Option(help="Keep the made-up run here, and use it again.")] = "",
    answers: Annotated[
        str, typer.Option(help="Write this run's answers into docs/questions.md instead.")
    ] = "",
) -> None:
    """Print a table of seconds, or answer the page's questions."""
    if answers:
        PAGE.write_text(answered(PAGE.read_text("utf-8"), answers), "utf-8")
        return
    with tempfile.TemporaryDirectory() as temporary:
        out = folder or temporary
        if not Path(out, "run.json").exists():
            synthetic_run(out, rows // 1000, 1000)
        faces = lpff_ray.scan(out).select(pl.len()).collect().item()
        table = Table(
            "question", "first", "best", "worst", "CPU", title=f"{faces} faces, {threads} threads, seconds"
        )
        for row in timed(out, threads, rounds).iter_rows(named=True):
            table.add_row(
                row["question"], *(f"{row[name]:.2f}" for name in ("first", "best", "worst", "cpu"))
            )
        Console(width=110).print(table)


if __name__ == "__main__":
    typer.run(main)
