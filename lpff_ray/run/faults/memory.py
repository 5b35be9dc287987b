"""The bound on the memory of a worker's process: past it the process ends itself, before the node runs out.

Left to the system, a decoder that takes all memory costs whatever else is on the node, and nothing says whose fault it
was.
"""

from __future__ import annotations

import os
import sys
import threading
import time

import psutil

MIB = 1 << 20
CHECK_S = 0.05
ROOM_MB = 512.0
"""MiB above what a worker takes with its models loaded, that it has in any case."""
EXCEEDED = "lpff_ray: more memory than it may"
"""What the process writes to its standard error before it ends."""


def bound_memory(share_mb: float, fixed_mb: float = 0.0) -> None:
    """From now on, end this process once its resident memory is above a bound.

    share_mb: of the node's memory, in MiB, 0 for none: the bound, or what is taken now and ROOM_MB if that is more.
    fixed_mb: the bound itself, 0 for none.
    """
    process = psutil.Process()
    most = fixed_mb
    if not most and share_mb:
        most = max(share_mb, process.memory_info().rss / MIB + ROOM_MB)
    if not most:
        return

    def watch() -> None:
        while (taken := process.memory_info().rss / MIB) <= most:
            time.sleep(CHECK_S)
        line = f"{EXCEEDED}: {taken:.0f} of {most:.0f} MiB\n"
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, line.encode())
        os._exit(1)  # at once: unwinding would take more memory

    threading.Thread(target=watch, name="memory", daemon=True).start()
