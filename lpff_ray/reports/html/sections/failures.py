"""What failed and why: attempts by cause with a traceback, and sources that are not in the tables, or not whole."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from lpff_ray.tables.failure_causes import failure_causes, normalised
from lpff_ray.tables.status import RunStatus

CAUSES = 40
EXAMPLES = 5
TRACEBACK = 8_000
"""Characters of a traceback that are shown, of its end."""


def failures(out: str, status: RunStatus) -> dict[str, Any]:
    """Causes of failed attempts, the most frequent first, and problems of sources grouped by their reason."""
    causes = failure_causes(out)
    rows = [
        {
            "title": f"{cause.stage}: {cause.kind}",
            "message": cause.message,
            "count": cause.count,
            "quarantined": cause.quarantined,
            "segments": cause.items,
            "uri": cause.uri,
            "example": cause.example,
            "traceback": cause.traceback[-TRACEBACK:],
            "log": cause.log,
        }
        for cause in causes[:CAUSES]
    ]
    grouped: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for problem in status.problems:
        grouped[normalised(problem.what), normalised(problem.why)].append((problem.uri, problem.why))
    ordered = sorted(grouped.items(), key=lambda item: (-len(item[1]), item[0]))
    problems = [
        {
            "what": what,
            "why": found[0][1] if len(found) == 1 else why,
            "count": len(found),
            "uris": [uri for uri, _ in found[:EXAMPLES]],
        }
        for (what, why), found in ordered
    ]
    return {
        "causes": rows,
        "cause_count": len(causes),
        "problems": problems[:CAUSES],
        "problem_count": len(problems),
        "quarantined": status.quarantined,
    }
