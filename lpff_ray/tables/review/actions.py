"""The actions of reviewers: one line of JSON each, in the files of `OUT/review/`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from lpff_ray.errors import UserError
from lpff_ray.monitoring.wording import CONTROL
from lpff_ray.types import PoseBin, ReviewAction, ReviewDecision

POSE_BINS = tuple(str(member) for member in PoseBin)
DECISIONS = tuple(str(member) for member in ReviewDecision)
LONGEST_NAME = 64
"""Characters of a reviewer's name."""


def checked_reviewer(name: str) -> str:
    """A reviewer's name without blanks around it. Raises UserError where it is empty, long or no text."""
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or CONTROL.search(name):
        raise UserError(f"--reviewer {name!r}: give a name of 1 to {LONGEST_NAME} characters")
    return name


def _utc(time: str) -> str:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time):
        raise ValueError("a time in UTC with microseconds, such as 2026-01-31T08:30:00.000000Z")
    return time


Text = Annotated[str, Field(min_length=1, max_length=500)]


class Action(BaseModel):
    """One action of one reviewer.

    id: no two actions share one. time: UTC, so that texts sort as times do.
    decide: `faces` are accepted or rejected; `decision` null takes back what was said of them.
    move: `faces` belong into `bin`; null: into the measured one.
    merge: `identities` are one person. split: `faces` leave their identity for a new one, `identity`.
    undo: the action or the group of actions `undoes`, of whatever kind, counts no more.
    group: what actions that were one for their reviewer share.
    """

    model_config = ConfigDict(frozen=True)

    id: Text
    time: Annotated[str, AfterValidator(_utc)]
    reviewer: Text
    action: ReviewAction
    faces: tuple[Text, ...] = ()
    decision: ReviewDecision | None = None
    bin: PoseBin | None = None
    identities: tuple[Text, ...] = ()
    identity: Text | None = None
    undoes: Text | None = None
    group: Text | None = None

    @model_validator(mode="after")
    def _whole(self) -> Action:
        lacking = {
            ReviewAction.DECIDE: not self.faces and "faces",
            ReviewAction.MOVE: not self.faces and "faces",
            ReviewAction.MERGE: len(set(self.identities)) < 2 and "two identities",
            ReviewAction.SPLIT: not (self.faces and self.identity) and "faces and identity",
            ReviewAction.UNDO: not self.undoes and "undoes",
        }[self.action]
        if lacking:
            raise ValueError(f"{self.action} needs {lacking}")
        return self

    def line(self) -> bytes:
        """The line of the log, with its end: what lacks that end was torn."""
        return self.model_dump_json(exclude_defaults=True).encode() + b"\n"


def parsed(line: bytes) -> Action:
    """The action of a line. Raises ValueError with the reason where it is none."""
    try:
        return Action.model_validate_json(line)
    except ValidationError as error:
        raise ValueError(first_reason(error.errors())) from None


def first_reason(errors: Any) -> str:
    """What the first of pydantic's errors says, with the field it is about."""
    where = ".".join(map(str, errors[0]["loc"]))
    return f"{where}: {errors[0]['msg']}" if where else str(errors[0]["msg"])
