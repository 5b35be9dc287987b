"""The threads of numerical libraries, set once per process that works on several items side by side."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any


@contextmanager
def single_threaded() -> Iterator[None]:
    """While entered, torch, OpenCV and BLAS use one thread each; afterwards as many as before.

    For the entry points of workers, once their libraries are loaded: they already work on one item per thread, and
    more threads inside each step would compete for the same cores. It is process-wide, so no constructor calls it: a
    notebook keeps its threads. Libraries that are not loaded are not loaded for it.
    """
    import threadpoolctl

    opencv: Any = sys.modules.get("cv2")
    torch: Any = sys.modules.get("torch")
    with threadpoolctl.threadpool_limits(1), ExitStack() as restored:
        if opencv is not None:
            restored.callback(opencv.setNumThreads, opencv.getNumThreads())
            opencv.setNumThreads(1)
        if torch is not None:
            restored.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(1)
        yield
