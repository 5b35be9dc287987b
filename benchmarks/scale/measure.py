"""What is measured of one made-up run, each in a process of its own, so that peak memory is of that alone."""

from __future__ import annotations

import importlib
import multiprocessing
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

Answer = TypeVar("Answer")

# What `dedupe` calls by these names, and what the table calls them.
STAGES = {
    "tracks": ("face_arrays", "whole_tracks"),
    "identities": ("average_linkage", "identity_names"),
    "duplicates": ("keepers",),
    "clips": ("repeated_clips",),
}
QUERIES = 2000  # rows compared with all others where comparing all with all takes too long
ALL_UP_TO = 20_000


def alone(task: Callable[..., Answer], *arguments: Any) -> Answer:
    """The task's answer, from a fresh process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(task, *arguments).result()


def whole(out: str, threads: int) -> dict[str, float]:
    """Seconds (wall and CPU) of all of `dedupe`, by stage, peak MiB, and how right it was: see `_checked`."""
    from lpff_ray.curate import dedupe as module
    from lpff_ray.curate.dedupe import dedupe

    torch.set_num_threads(threads)
    idle_mb = _peak_mb()
    spent: dict[str, float] = defaultdict(float)
    for stage, names in {"all but files": ("dedupe_faces",), **STAGES}.items():
        for name in names:
            _time_calls(module, name, stage, spent)
    began, cpu = time.perf_counter(), time.process_time()
    summary = dedupe(out)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    measured = {
        "faces": float(summary.faces),
        "tracks": float(summary.tracks),
        "seconds": seconds,
        "cpu": cpu,
        "peak_mb": _peak_mb(),
        "idle_mb": idle_mb,
    }
    apart = spent.pop("all but files")
    spent |= {"files": seconds - apart, "rest": apart - sum(spent.values())}
    return measured | {f"{stage} s": value for stage, value in spent.items()} | _checked(out)


def _time_calls(module: Any, name: str, stage: str, spent: dict[str, float]) -> None:
    """Have the module add the seconds that its calls of a function take to a stage's."""
    function = getattr(module, name)

    def timed(*arguments: Any, **options: Any) -> Any:
        began = time.perf_counter()
        answer = function(*arguments, **options)
        spent[stage] += time.perf_counter() - began
        return answer

    setattr(module, name, timed)


def _checked(out: str) -> dict[str, float]:
    """people; identities; pure: share of faces whose identity is mostly their person's; found: share of the faces of
    copied clips that share their kept face with the face that they were made from."""
    from benchmarks.scale.synthetic import TRUTH_FILE
    from lpff_ray.tables import curated

    marks = curated.dedupe_marks(out).select(
        "face_id", "identity_id", kept=pl.coalesce("duplicate_of", "face_id")
    )
    known = marks.join(pl.read_parquet(f"{out}/{TRUTH_FILE}"), on="face_id")
    largest = known.group_by("identity_id", "person").len().group_by("identity_id").agg(pl.col("len").max())
    originals = marks.select(copy_of="face_id", original_kept="kept")
    copies = known.drop_nulls("copy_of").join(originals, on="copy_of")
    return {
        "people": float(known["person"].n_unique()),
        "identities": float(known["identity_id"].n_unique()),
        "pure": largest["len"].sum() / len(known),
        "found": float((copies["kept"] == copies["original_kept"]).mean() or 0.0),
    }


def search(out: str, radius: float, threads: int) -> dict[str, float]:
    """Seconds of finding all pairs of faces within a radius, ours beside FAISS's flat index, and their agreement.

    Above ALL_UP_TO rows FAISS is asked of QUERIES rows only, and its seconds are scaled up.
    agreement: share of the pairs of either that both found. Of distances near the radius, rounding decides.
    """
    import lpff_ray
    from lpff_ray.curate.neighbours.search import pairs_within

    torch.set_num_threads(threads)
    rows = lpff_ray.scan(out).select("embedding").collect()["embedding"].to_numpy()
    idle_mb = _peak_mb()
    with _stopwatch() as ours:
        pairs = pairs_within(rows, radius)
    measured = {"pairs": float(len(pairs.first)), "search": ours[0], "search_cpu": ours[1]}
    measured |= {"search_mb": _peak_mb() - idle_mb}
    asked = np.arange(len(rows))
    if len(rows) > ALL_UP_TO:
        asked = np.sort(np.random.default_rng(0).choice(len(rows), QUERIES, replace=False))
    with _stopwatch() as flat:
        found = _flat(rows, asked, radius, threads)
    scale = len(rows) / len(asked)
    chosen = np.isin(pairs.first, asked) | np.isin(pairs.second, asked)
    keys = pairs.first[chosen] * len(rows) + pairs.second[chosen]
    both = len(np.intersect1d(keys, found, assume_unique=True))
    either = len(keys) + len(found) - both
    return measured | {
        "flat": flat[0] * scale,
        "flat_cpu": flat[1] * scale,
        "asked": float(len(asked)),
        "agreement": both / max(either, 1),
    }


def _flat(
    rows: NDArray[np.float32], asked: NDArray[np.int64], radius: float, threads: int
) -> NDArray[np.int64]:
    """Keys first * n + second, ascending, of the pairs that FAISS finds for some rows by comparing them with all."""
    faiss = importlib.import_module("faiss")
    faiss.omp_set_num_threads(threads)
    index = faiss.IndexFlatL2(rows.shape[1])
    index.add(rows)
    keys = []
    for part in np.array_split(asked, len(asked) // 4096 + 1):
        limits, _, second = index.range_search(
            rows[part], float(np.nextafter(np.float32(radius**2), np.float32(9)))
        )
        first = np.repeat(part, np.diff(limits.astype(np.int64)))
        pair = first != second
        low, high = np.minimum(first, second)[pair], np.maximum(first, second)[pair]
        keys.append(low * len(rows) + high)
    return np.unique(np.concatenate(keys))


@contextmanager
def _stopwatch() -> Iterator[list[float]]:
    """Yields a list that holds wall and CPU seconds afterwards."""
    began, cpu = time.perf_counter(), time.process_time()
    spent: list[float] = []
    yield spent
    spent += [time.perf_counter() - began, time.process_time() - cpu]


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
