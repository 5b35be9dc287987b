"""Threads that do not get into each other's way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def in_threads(function: Callable[[Item], Answer], items: Sequence[Item], device: str) -> Iterator[Answer]:
    """The answers for all items, in order; on a CPU from as many threads as torch would use, each with one of torch's.

    OpenMP's own threads spin while they wait for each other, after every small product: with other programs on both
    cores, the same search took 77 s in place of 3.
    """
    threads = torch.get_num_threads()
    if device != "cpu":
        yield from map(function, items)
        return
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(function, items)
    finally:
        torch.set_num_threads(threads)
