"""Logging: one logger per module below `lpff_ray`, shown on stderr if asked for, and kept in a run's folder."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lpff_ray.monitoring.wording import escaped
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.log_file import LogFile
from lpff_ray.storage.redaction import redacted_text

LOGGERS = ("lpff_ray", "cluster", "actors")
"""The packages of this product; the root logger is its caller's, and never touched."""
LOGS = "logs"
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configure(level: str) -> None:
    """Show what is logged at `level` ("DEBUG", "INFO", ...) or above on stderr; called again, it changes the level."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(level)
        shown = [handler for handler in logger.handlers if isinstance(handler, _Shown)]
        for handler in shown or [_Shown()]:
            handler.setLevel(level)
            handler.setFormatter(_Redacting(FORMAT))
            if not shown:
                logger.addHandler(handler)


def log_name(kind: str, ending: str) -> str:
    """A name for a log of this process that no other one has: `logs/KIND-DATE-TIME-PID.ENDING`."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    return f"{LOGS}/{kind}-{stamp}-{os.getpid()}.{ending}"


@contextmanager
def kept_in(folder: Folder, kind: str = "run") -> Iterator[None]:
    """While entered, what is logged at INFO or above is kept in a file of `folder`'s logs, bounded.

    kind: what the file's name begins with. The file is made with its first line.
    """
    handler = _Kept(LogFile(folder, log_name(kind, "log")))
    handler.setFormatter(_Redacting(FORMAT))
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        if logger.getEffectiveLevel() > logging.INFO:
            logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
        handler.close()


class _Redacting(logging.Formatter):
    """Formats records without what URIs in them keep secret."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted_text(super().format(record))


class _Shown(logging.Handler):
    """The handler that `configure` made. It writes to what `sys.stderr` is at the time, since callers redirect it."""

    def emit(self, record: logging.LogRecord) -> None:
        print(escaped(self.format(record), keep="\n\t"), file=sys.stderr)


class _Kept(logging.Handler):
    """Appends records to a log file."""

    def __init__(self, file: LogFile) -> None:
        super().__init__(logging.INFO)
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._file.append(self.format(record))
        except Exception:  # noqa: BLE001  # as every handler of logging: it must not end what is logged
            self.handleError(record)

    def close(self) -> None:
        self._file.close()
        super().close()
