"""A small run to disturb: its sources, the rows that are right, and what is measured after a fault."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from clips import portrait, write_clip
from command import call, start

import lpff_ray

INJECT = Path(__file__).parent / "inject"
CLIPS, SEGMENTS = 5, 2
SETTINGS = ("--every", "5", "--segment-seconds", "1", "--workers", "1")


@dataclass
class Outcome:
    """One fault and what it cost.

    lost, doubled: rows, against the undisturbed run. wrong_blame: segments in quarantine that nothing was wrong with.
    leftovers: files that no run keeps. extra: segments that were mined more than once. recover_s: seconds until the
    tables were whole again. note: what did not go as promised.
    """

    fault: str
    lost: int = 0
    doubled: int = 0
    wrong_blame: int = 0
    leftovers: int = 0
    extra: int = 0
    recover_s: float = 0.0
    note: str = ""

    @property
    def harm(self) -> int:
        """All that must be zero."""
        return self.lost + self.doubled + self.wrong_blame + self.leftovers + bool(self.note)


@dataclass
class World:
    """Sources in `root/videos` and their faces, undisturbed. Each fault works in a folder of its own."""

    root: Path
    rows: set[str] = field(default_factory=set)
    rounds: int = 0

    @classmethod
    def made(cls, root: Path) -> World:
        """Write the clips, and mine them with nothing going wrong."""
        world = cls(root)
        world.videos.mkdir(parents=True)
        for number in range(CLIPS):
            write_clip(
                world.videos / f"{number}.mp4", 40 + number, size=(320, 240), picture_of=portrait, gop=25
            )
        assert call("mine", world.videos, "--out", root / "whole", *SETTINGS).returncode == 0
        world.rows = set(lpff_ray.scan(str(root / "whole")).collect()["face_id"])
        assert len(world.rows) >= CLIPS * 8
        return world

    @property
    def videos(self) -> Path:
        return self.root / "videos"

    def out(self) -> Path:
        """A new output folder."""
        self.rounds += 1
        return self.root / f"out{self.rounds}"

    def own_videos(self) -> Path:
        """A copy of the sources, for faults that change them."""
        return Path(shutil.copytree(self.videos, self.root / f"videos{self.rounds + 1}"))

    def begin(
        self, out: Path, *options: object, sources: object = None, chaos: str = ""
    ) -> subprocess.Popen[str]:
        """Start `mine` in a process of its own. chaos: see inject/sitecustomize.py."""
        path = os.pathsep.join([str(INJECT), str(Path(__file__).parents[2])])
        env = {"CHAOS": chaos, "CHAOS_OUT": str(out), "PYTHONPATH": path} if chaos else {}
        return start("mine", sources or self.videos, "--out", out, *SETTINGS, *options, env=env)

    def mine(self, out: Path, *options: object, sources: object = None) -> tuple[int, str]:
        """Mine within this process: exit code, and stderr."""
        done = call("mine", sources or self.videos, "--out", out, *SETTINGS, "--json", *options)
        return done.returncode, done.stderr

    def recovered(
        self,
        fault: str,
        out: Path,
        *options: object,
        sources: object = None,
        bad_sources: tuple[str, ...] = (),
    ) -> Outcome:
        """Run the same command again, and measure. bad_sources: names of sources that are rightly in quarantine."""
        kept = len(lpff_ray.segments(str(out))) if (out / "run.json").exists() else 0
        began = time.monotonic()
        done = call("mine", sources or self.videos, "--out", out, *SETTINGS, "--json", *options)
        outcome = self.measured(fault, out, bad_sources)
        outcome.recover_s = time.monotonic() - began
        if done.returncode != (1 if bad_sources else 0):
            outcome.note = f"exit {done.returncode}: {done.stderr[-200:]}"
        elif not bad_sources:
            outcome.extra = kept + json.loads(done.stdout)["mined"] - CLIPS * SEGMENTS
        return outcome

    def measured(self, fault: str, out: Path, bad_sources: tuple[str, ...] = ()) -> Outcome:
        """The tables in `out` against those of the undisturbed run."""
        found = lpff_ray.scan(str(out)).collect()["face_id"].to_list()
        given_up = lpff_ray.quarantine(str(out))["uri"].to_list()
        lost = set() if bad_sources else self.rows - set(found)
        return Outcome(
            fault,
            lost=len(lost),
            doubled=len(found) - len(set(found)),
            wrong_blame=sum(not Path(uri).name.startswith(bad_sources or ("-",)) for uri in given_up),
            leftovers=len([*out.rglob("*.tmp"), *out.rglob(".visible-*")]),
        )


def parts_of(out: Path) -> set[str]:
    """Names of finished parts."""
    return {path.name for path in out.glob("parts/*.parquet") if not path.name.startswith(".")}


def until(process: subprocess.Popen[str], ready: Callable[[], bool], patience_s: float = 120.0) -> None:
    """Wait until a process has got so far, or has ended."""
    end = time.monotonic() + patience_s
    while not ready() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)


def table(outcomes: list[Outcome]) -> str:
    """What is printed: a line for each fault, the worst of its times last."""
    columns = ("fault", "times", "lost", "doubled", "blame", "leftovers", "extra work", "recovered in")
    lines = [columns]
    for fault in dict.fromkeys(outcome.fault for outcome in outcomes):
        of = [outcome for outcome in outcomes if outcome.fault == fault]
        sums = (
            sum(getattr(one, name) for one in of)
            for name in ("lost", "doubled", "wrong_blame", "leftovers", "extra")
        )
        slowest = max(one.recover_s for one in of)
        lines.append((fault, str(len(of)), *map(str, sums), f"{slowest:.1f} s"))
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join(text + [f"{one.fault}: {one.note}" for one in outcomes if one.note])
