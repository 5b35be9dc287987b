"""A worker whose process has lost what the driver's has: the way to its sources."""

from __future__ import annotations

import os

import reader


class CutOff(reader.Reader):
    """A Reader in a process with other environment variables; those whose value is None are not set there."""

    def __init__(self, out: str, env: dict[str, str | None], device: str) -> None:
        super().__init__(out, device)
        for name, value in env.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
