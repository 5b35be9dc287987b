"""In what numbers networks compute on a CPU: a setting of the run, which networks ask for when they are loaded.

Evidence: docs/evidence/speed.md#precision
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum


class Precision(str, Enum):
    """exact: float32. fast: bfloat16 in networks whose answers it hardly moves, on CPUs that have it."""

    EXACT = "exact"
    FAST = "fast"


_chosen: ContextVar[Precision] = ContextVar("precision", default=Precision.EXACT)


def chosen_precision() -> Precision:
    """What networks that are loaded now are to use."""
    return _chosen.get()


@contextmanager
def precision(value: Precision) -> Iterator[None]:
    """While entered, networks are loaded for this precision. Loaders are plug-ins, so it is no argument of theirs."""
    token = _chosen.set(value)
    try:
        yield
    finally:
        _chosen.reset(token)
