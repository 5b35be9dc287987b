"""Tensor work spread over threads without oversubscribing the CPU, and torch's thread count as it was afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def in_threads(function: Callable[[Item], Answer], items: Sequence[Item], device: str) -> list[Answer]:
    """The answers for all items, in order.

    On a CPU from as many threads as torch would use, each with one of torch's own; on another device one by one.

    OpenMP's threads spin while they wait for each other after every small product: with other programs on both cores,
    the same search took 77 s in place of 3. `torch.set_num_threads` is a setting of the whole process, so it is put
    back before this returns or raises: a caller who stops half way through could not see to that.
    """
    if device != "cpu":
        return [function(item) for item in items]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(function, items))
    finally:
        torch.set_num_threads(threads)
