"""Words that are members of an enum stand in lpff_ray/types.py alone; all other code names the member."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from lpff_ray.types import CropUnit, MediaKind, PoseBin, SegmentStatus, Stage, VideoStatus

ROOT = Path(__file__).resolve().parents[1]
WORDS = {
    str(word) for kind in (PoseBin, MediaKind, CropUnit, VideoStatus, SegmentStatus, Stage) for word in kind
}
TIMES = "a stage of which time is counted: some of them are no stages in which work fails"
NOUN = "a noun of a message: `counted` gives it its number"
THEIRS = "the word of another data set's format, whatever our bin is called"
GROUPING = "what a sheet is grouped by: `--by`"
COLUMN = "a column of a table in memory"
EXCEPTIONS = {
    ("lpff_ray/cli/verbs/datasets/export.py", "open"): TIMES,
    ("lpff_ray/cli/verbs/datasets/export.py", "decode"): TIMES,
    ("lpff_ray/decode/fallback.py", "open"): TIMES,
    ("lpff_ray/decode/fallback.py", "decode"): TIMES,
    ("lpff_ray/exports/formats/clips.py", "open"): TIMES,
    ("lpff_ray/exports/worker.py", "open"): TIMES,
    ("lpff_ray/tables/schema.py", "open"): TIMES,
    ("lpff_ray/tables/schema.py", "decode"): TIMES,
    ("lpff_ray/exports/formats/verification.py", "frontal"): THEIRS,
    ("lpff_ray/exports/lists/pairs.py", "frontal"): THEIRS,
    ("lpff_ray/exports/lists/reenactment.py", "frontal"): THEIRS,
    ("lpff_ray/exports/formats/efhq.py", "video"): "what names a clip: `clips`",
    ("lpff_ray/curate/dedupe_tables.py", "video"): COLUMN,
    ("lpff_ray/curate/duplicates/clips.py", "video"): COLUMN,
    ("lpff_ray/curate/identity/stitch.py", "video"): COLUMN,
    ("lpff_ray/curate/identity/stitch.py", "segment"): COLUMN,
    ("lpff_ray/cli/verbs/dedupe.py", "duplicate"): NOUN,
    ("lpff_ray/cli/verbs/plan.py", "video"): NOUN,
    ("lpff_ray/cli/verbs/plan.py", "segment"): NOUN,
    ("lpff_ray/cli/verbs/rebuild.py", "video"): NOUN,
    ("lpff_ray/cli/verbs/reports/sheet.py", "video"): GROUPING,
    ("lpff_ray/reports/sheets/choice.py", "video"): GROUPING,
    ("lpff_ray/cli/verbs/status.py", "video"): NOUN,
    ("lpff_ray/cli/verbs/status.py", "segment"): NOUN,
    ("lpff_ray/curate/selection/sampling.py", "video"): "what caps count: `--per`",
    ("lpff_ray/reports/review/catalogue.py", "video"): COLUMN,
    ("lpff_ray/reports/review/suggest.py", "video"): COLUMN,
    ("lpff_ray/plan/clip_lists.py", "video"): "a group of a regular expression",
    ("lpff_ray/decode/container.py", "video"): "PyAV's name for a kind of stream",
    ("lpff_ray/decode/pictures/photo.py", "photo"): "the name of a decoder",
    ("lpff_ray/decode/registry.py", "photo"): "the name of a decoder",
    ("lpff_ray/decode/pictures/animation.py", "animation"): "the name of a decoder",
    ("lpff_ray/decode/registry.py", "animation"): "the name of a decoder",
    ("lpff_ray/decode/pictures/sequence.py", "sequence"): "the name of a decoder",
    ("lpff_ray/decode/registry.py", "sequence"): "the name of a decoder",
    ("lpff_ray/measure/registry.py", "measure"): "what messages call a measure",
    ("lpff_ray/__init__.py", "quarantine"): "the name of a function",
    ("lpff_ray/cli/verbs/mine.py", "unreadable"): "a key of --json",
}
"""(file, word): why it is no member's value there."""


def literals(source: str) -> Iterator[tuple[str, int]]:
    """Strings of a module that equal a member's value, with their lines; not docstrings, annotations or f-strings."""
    tree = ast.parse(source)
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    skipped |= {
        id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in skipped and str(node.value) in WORDS:
            yield str(node.value), node.lineno


def test_members_values_are_not_spelled_out() -> None:
    found: dict[tuple[str, str], list[int]] = {}
    for folder in ("lpff_ray", "actors", "cluster"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if name != "lpff_ray/types.py":
                for word, line in literals(path.read_text(encoding="utf-8")):
                    found.setdefault((name, word), []).append(line)
    new = {where: lines for where, lines in found.items() if where not in EXCEPTIONS}
    assert not new, f"use the member of lpff_ray.types, or add an exception with its reason: {new}"
    assert not EXCEPTIONS.keys() - found.keys(), "exceptions that are not needed any more"


def test_literals_are_found_where_they_count() -> None:
    source = (
        '"""frontal"""\nx = "frontal"\ny = {"done": f"open"}\ndef f():\n    "photo"\n    return "planned"\n'
    )
    assert sorted(literals(source)) == [("done", 3), ("frontal", 2), ("planned", 6)]


@pytest.mark.parametrize("member", [PoseBin.LEFT, Stage.OPEN, VideoStatus.DONE])
def test_a_member_is_its_value(member: PoseBin | Stage | VideoStatus) -> None:
    assert member == member.value
    assert f"{member}" == str(member) == member.value
    assert {member.value: 1}[member] == 1
