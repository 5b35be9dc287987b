"""Where the verbs of the command line print."""

from __future__ import annotations

import sys

from rich.console import Console

# Names of files and clips hold brackets, so nothing printed is markup. A job's log has no width of its own; at 80
# columns tables would lose most of what they say.
console = Console(highlight=False, markup=False, soft_wrap=True, width=None if sys.stdout.isatty() else 180)
