"""Faults inside of a process of the command line, asked for by $CHAOS; Python imports it from its path.

`kill:CALL:N` (SIGKILL to itself before its N-th call of os.fsync or os.replace below OUT), `kill-after:CALL:N`,
`ENOSPC:CALL:N` and other names of errno (that call fails, and all later ones), and `poison:WAY` (a Ray worker that is
to open a file named poison* dies: `exit`, `segfault`, `balloon`).
"""

import ctypes
import errno
import os
import signal
import sys
from pathlib import Path
from typing import Any


def _counted(what: str, call: str, number: int) -> None:
    real, calls = getattr(os, call), 0

    def injected(first: Any, *rest: Any, **options: Any) -> Any:
        nonlocal calls
        name = os.readlink(f"/proc/self/fd/{first}") if isinstance(first, int) else os.fspath(first)
        if os.environ["CHAOS_OUT"] not in str(name):
            return real(first, *rest, **options)
        calls += 1
        if what.startswith("E") and calls >= number:
            code = getattr(errno, what)
            raise OSError(code, os.strerror(code))
        if what == "kill" and calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(first, *rest, **options)
        if what == "kill-after" and calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(os, call, injected)


def _poisoned(way: str) -> None:
    real = os.path.lexists

    def injected(path: Any) -> bool:
        if Path(str(path)).name.startswith("poison"):
            if way == "exit":
                os._exit(3)
            if way == "segfault":
                ctypes.string_at(0)
            held = []
            while True:
                held.append(bytearray(os.urandom(1024) * 20_480))
        return bool(real(path))

    os.path.lexists = injected


_what, _, _rest = os.environ.get("CHAOS", "").partition(":")
if _what == "poison" and sys.argv and "default_worker" in sys.argv[0]:
    _poisoned(_rest)
elif _what and _what != "poison":
    _call, _, _number = _rest.partition(":")
    _counted(_what, _call, int(_number))
