"""The ten lines of Python in README.md, and what they print."""

from __future__ import annotations

import io
import os
import re
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

SHOWN = re.compile(r"(```python\n(?P<code>.*?)```\n\n```text\n)(?P<output>.*?)(?=```)", re.DOTALL)


def shown(page: str) -> tuple[str, str]:
    """The lines of the page, and what it says that they print."""
    found = SHOWN.search(page)
    assert found is not None, "no block of Python that is followed by one of text"
    return found["code"], found["output"]


def printed(code: str, folder: Path) -> str:
    """What lines print when they are run in a folder that has the demo."""
    out, before = io.StringIO(), Path.cwd()
    os.chdir(folder)
    try:
        with redirect_stdout(out), redirect_stderr(io.StringIO()):
            exec(compile(code, "README.md", "exec"), {})
    finally:
        os.chdir(before)
    return out.getvalue()


def filled(page: str, folder: Path) -> str:
    """The page with what its lines print."""
    output = printed(shown(page)[0], folder)
    return SHOWN.sub(lambda found: found[1] + output, page, count=1)
