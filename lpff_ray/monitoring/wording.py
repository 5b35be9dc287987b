"""Where the verbs of the command line print."""

from __future__ import annotations

import sys

from rich.console import Console

# Names of files and clips hold brackets, so nothing printed is markup. A job's log has no width of its own; at 80
# columns tables would lose most of what they say.
console = Console(highlight=False, markup=False, soft_wrap=True, width=None if sys.stdout.isatty() else 180)


def counted(count: int, noun: str, plural: str = "") -> str:
    """A number of things, as in "1 face", "2 faces"; plural: of a noun that does not just take an s."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"
