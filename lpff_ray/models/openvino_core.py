"""OpenVINO as a guest: without usage statistics, and without touching how its callers' threads handle signals."""

from __future__ import annotations

import sys
import threading
from typing import Any

TELEMETRY = "openvino_telemetry"
_lock = threading.Lock()
_core: list[Any] = []


def openvino() -> Any:
    """The module. Importing it starts a thread that reports to Intel over the network, unless its telemetry package is
    missing: so it is made to believe that."""
    with _lock:
        return _imported()


def openvino_core() -> Any:
    """The openvino.Core of this process, whose CPU plugin is loaded; made once and kept. Threads may share it.

    The CPU plugin gives the thread that loads it an alternative stack for signals, and unmaps that stack when the last
    Core is gone, in whatever thread that happens: the first thread's next signal, a Ctrl-C say, then ends the process
    with a segmentation fault (seen in 2026.4). So it is loaded by a thread that ends at once, and never unloaded.
    """
    with _lock:
        if not _core:
            thread = threading.Thread(target=_load, name="openvino-core")
            thread.start()
            thread.join()
        return _core[0]


def _load() -> None:
    core = _imported().Core()
    core.get_property("CPU", "FULL_DEVICE_NAME")  # loads the plugin
    _core.append(core)


def _imported() -> Any:
    if "openvino" not in sys.modules and TELEMETRY not in sys.modules:
        sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # what makes an import raise ImportError
        try:
            import openvino
        finally:
            del sys.modules[TELEMETRY]
    import openvino

    return openvino
