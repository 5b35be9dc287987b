"""`python -m benchmarks.speed --data ../shared/data [--peers PYTHON] [--out docs]`: how fast mining is, beside others.

Every contestant is a command, run in turn, several times over; the table has medians. Rates are source frames per
second with the start of the process included. On a busy machine only the ratios mean something, and little.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

from benchmarks.speed.page import page
from benchmarks.speed.results import Result, Timed
from benchmarks.speed.roofline import roofline
from benchmarks.speed.sets import clips_of

PEERS = Path(__file__).with_name("peers")
OURS = ("floor", "pyav", "decord", "local", "ray")
OTHERS = ("naive", "chain", "ray_data")
# Ratios of `local` to others that are asked for, by set and stride; --quick fails below 0.9 of one.
ASKED = {
    ("A", 5): {"naive": 8.0},
    ("A", 1): {"naive": 10.0},
    ("B", 5): {"naive": 4.0},
    ("C", 5): {"naive": 10.0},
    ("D", 5): {"naive": 2.0, "pyav": 0.85},
}


def main(
    data: Annotated[Path, typer.Option(help="The shared data folder.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for speed.md; without it nothing is written.")
    ] = None,
    peers: Annotated[
        str, typer.Option(help="Python with peers/requirements.txt; without it only ours.")
    ] = "",
    sets: Annotated[
        str, typer.Option(help="Some of A,B,C,D, as A:5,A:1 for strides.")
    ] = "A:5,A:1,B:5,C:5,D:5",
    only: Annotated[str, typer.Option(help="Some contestants, commas between.")] = "",
    runs: Annotated[int, typer.Option(help="Runs of each contestant.")] = 3,
    threads: Annotated[int, typer.Option(help="Threads or processes of each contestant.")] = 2,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few clips, one run; exit 1 if a ratio falls short.")
    ] = False,
) -> None:
    """Print the table, write docs/speed.md."""
    chosen = only.split(",") if only else [*OURS, *(OTHERS if peers else ())]
    results = []
    for one in sets.split(","):
        name, stride = one.split(":") if ":" in one else (one, "5")
        clips = clips_of(data, name, quick)
        frames, limit = roofline(clips, int(stride))
        contestants = {contestant: Timed(frames) for contestant in chosen}
        measure(contestants, clips, int(stride), peers, 1 if quick else runs, threads)
        results.append(Result(name, int(stride), frames, contestants, limit))
        print(page([results[-1]], threads), flush=True)
    if out is not None:
        (out / "speed.md").write_text(page(results, threads), encoding="utf-8")
    short = list(shortfalls(results))
    print("\n".join(short))
    raise typer.Exit(1 if quick and short else 0)


def measure(
    contestants: dict[str, Timed], clips: list[str], every: int, peers: str, runs: int, threads: int
) -> None:
    """Run all contestants in turn, `runs` times."""
    for _ in range(runs):
        for name, timed in contestants.items():
            if name in OURS:
                command = [sys.executable, "-m", "benchmarks.speed.contestant", name]
            else:
                command = [peers, str(PEERS / f"{name}.py")]
            seconds, peak, reported = run_once([*command, str(every), str(threads), *clips])
            timed.seconds.append(seconds)
            timed.peaks.append(peak)
            timed.reported.append(reported)


def run_once(command: list[str]) -> tuple[float, float, dict[str, Any]]:
    """Seconds, peak memory in MiB of the process and its children together, and what its last line tells."""
    start, peak, done = time.perf_counter(), [0.0], threading.Event()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def watch() -> None:
        root = psutil.Process(process.pid)
        while not done.wait(0.2):
            try:
                tree = [root, *root.children(recursive=True)]
                peak[0] = max(peak[0], sum(one.memory_info().rss for one in tree) / 2**20)
            except psutil.NoSuchProcess:
                continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    printed, errors = process.communicate()
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} ended with {process.returncode}:\n{errors[-2000:]}")
    return seconds, peak[0], json.loads(printed.strip().splitlines()[-1])


def shortfalls(results: list[Result]) -> list[str]:
    """A line for each ratio below 0.9 of what is asked for."""
    lines = []
    for result in results:
        for other, asked in ASKED.get((result.name, result.every), {}).items():
            if other in result.contestants and "local" in result.contestants:
                ratio = result.contestants["local"].rate / result.contestants[other].rate
                if ratio < 0.9 * asked:
                    lines.append(
                        f"{result.name}, every {result.every}: {ratio:.2f} of {other}, asked {asked}"
                    )
    return lines


if __name__ == "__main__":
    typer.run(main)
