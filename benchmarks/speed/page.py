"""docs/speed.md, of results."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Sequence

from benchmarks.speed.results import Result
from benchmarks.speed.sets import SETS
from lpff_ray.monitoring.wording import counted

NAMES = {
    "floor": "decode only, PyAV, nothing converted",
    "pyav": "decode only, PyAV",
    "decord": "decode only, decord",
    "naive": "naive script",
    "chain": "chain of scripts over PNG files",
    "ray_data": "Ray Data pipeline",
    "local": "**mine, local**",
    "ray": "**mine, Ray**",
}


def page(results: Sequence[Result], threads: int) -> str:
    """Markdown: the rates, and where the time of mining goes."""
    runs = len(next(iter(results[0].contestants.values())).seconds)
    times = counted(runs, "time")
    lines = [
        "# Speed",
        "",
        "Made by `python -m benchmarks.speed --data ../shared/data --peers PYTHON --out docs`, all in one run, "
        f"contestants in turn, {times} each, medians, on {threads} threads or processes of {cpu()}. Rates are source "
        "frames per second with the start of the process included. What the others do: `benchmarks/speed/peers`.",
        "",
        "On a GPU: unmeasured.",
    ]
    for result in results:
        looked = next(iter(result.contestants.values())).reported[0]["looked"]
        lines += [
            "",
            f"## {result.name}, every {result.every}: {SETS[result.name][0]}",
            "",
            f"{result.frames} frames, {looked} looked at.",
            "",
            "| | frames/s | mine, local over it | faces | peak MiB |",
            "|---|---|---|---|---|",
        ]
        local = result.contestants.get("local")
        for name, timed in result.contestants.items():
            if not timed.reported[-1]["looked"]:
                lines.append(f"| {NAMES[name]} | can not read them | | | |")
                continue
            ratio = f"{local.rate / timed.rate:.2f}" if local is not None else ""
            faces, peak = timed.reported[-1]["faces"], statistics.median(timed.peaks)
            lines.append(f"| {NAMES[name]} | {timed.rate:.0f} | {ratio} | {faces} | {peak:.0f} |")
        lines += ["", *breakdown(result, threads)]
    return "\n".join(lines) + "\n"


def breakdown(result: Result, threads: int) -> list[str]:
    """What a frame looked at costs, and the roofline."""
    limit = result.roofline
    lines = [
        f"By CPU time of one thread, per frame looked at: decoding {limit.decode:.1f} ms, each network once "
        f"{limit.networks:.1f} ms, mining {limit.mine:.1f} ms: **{limit.share:.2f} of the roofline**."
    ]
    local = result.contestants.get("local")
    if local is not None:
        reported = local.reported[-1]
        stages = {name: value for name, value in reported["stages"].items() if name != "total"}
        spent = ", ".join(f"{name} {1e3 * value / reported['looked']:.1f}" for name, value in stages.items())
        explained = sum(stages.values()) / threads / reported["work_s"]
        lines.append(
            f"Stages of `local`, ms of a thread per frame looked at: {spent}; with every thread busy they would "
            f"explain {explained:.0%} of {reported['work_s']:.1f} s, the rest is start, planning and idle threads. "
            f"First part committed after {reported['first_commit_s']:.1f} s."
        )
    return lines


def cpu() -> str:
    """The processor's name."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "an unknown CPU"
