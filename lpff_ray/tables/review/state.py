"""What all review marks of a run come to: the last word on every face, and which identities are one person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from lpff_ray.storage.folder import Folder
from lpff_ray.tables import curated, schema
from lpff_ray.tables.review.actions import Action
from lpff_ray.tables.review.log import read_logs
from lpff_ray.tables.review.table import handwritten_marks
from lpff_ray.tables.run_folder import open_run_folder
from lpff_ray.types import ReviewAction


@dataclass(frozen=True)
class Mark:
    """What was said of one face. reviewer, time: of the last action on it; null for the table written by hand."""

    decision: str | None = None
    bin: str | None = None
    note: str | None = None
    reviewer: str | None = None
    time: str | None = None

    def after(self, action: Action) -> Mark:
        """What is said of the face when one more action was about it."""
        decision, bin = self.decision, self.bin
        if action.action == ReviewAction.DECIDE:
            decision = None if action.decision is None else str(action.decision)
        else:
            bin = None if action.bin is None else str(action.bin)
        return Mark(decision, bin, self.note, action.reviewer, action.time)


@dataclass
class Folded:
    """Actions and the table by hand as one state.

    marks: by face. left: the new identity of faces that were split off, by face. parents: of identities that were
    merged, another one of the same person, which has none in the end. counted: actions that count, those that were
    undone left out, in order.
    """

    marks: dict[str, Mark] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    counted: list[Action] = field(default_factory=list)

    def add(self, action: Action) -> None:
        """Let one more action count, later than all others. Undo is not for this: it says that something never was."""
        self.counted.append(action)
        if action.action == ReviewAction.MERGE:
            roots = sorted({self.person(name) for name in action.identities})
            self.parents.update(dict.fromkeys(roots[1:], roots[0]))
        elif action.action == ReviewAction.SPLIT:
            self.left.update(dict.fromkeys(action.faces, str(action.identity)))
        else:
            for face_id in action.faces:
                self.marks[face_id] = self.marks.get(face_id, Mark()).after(action)

    def person(self, name: str) -> str:
        """The identity that stands for a merged one: the first by name, in whatever order they were merged."""
        while name in self.parents:
            name = self.parents[name]
        return name

    def persons(self) -> dict[str, str]:
        """The identity that stands for each that was merged into another one."""
        return {name: self.person(name) for name in self.parents}

    def identity(self, face_id: str, measured: str | None) -> str | None:
        """A face's identity; measured: the one that `dedupe` gave it."""
        own = self.left.get(face_id, measured)
        return None if own is None else self.person(own)


def in_order(actions: Iterable[Action]) -> list[Action]:
    """Actions of several logs as they happened: by time; those of one moment by id, so that every reader agrees."""
    return sorted(actions, key=lambda action: (action.time, action.id))


def folded(actions: Iterable[Action], handwritten: pl.DataFrame | None = None) -> Folded:
    """Fold actions, in any order, over the marks written by hand.

    Of several decisions on a face the last one counts, of several bins too, whoever made them; so a decision of the
    page wins over the table by hand. An action that was undone never was; an undo can be undone, which repeats it.
    Merging and splitting commute, as every split makes an identity of its own.
    """
    ordered = in_order(actions)
    undone: set[str | None] = set()
    counted = []
    for action in reversed(ordered):
        if action.id in undone or action.group in undone:
            continue
        if action.action == ReviewAction.UNDO:
            undone.add(action.undoes)
        else:
            counted.append(action)
    state = Folded()
    if handwritten is not None:
        for face_id, *said in handwritten.select("face_id", "decision", "bin", "note").iter_rows():
            state.marks[face_id] = Mark(*said)
    for action in reversed(counted):
        state.add(action)
    return state


def read_folded(folder: Folder) -> Folded:
    """The state of a run's review. Raises UserError if a log or the table by hand is wrong or damaged."""
    actions = [action for file in read_logs(folder).values() for action in file.actions]
    return folded(actions, handwritten_marks(folder))


def review_state(out: str) -> pl.DataFrame:
    """What reviewers decided, one row per face that anything was decided on; columns as in `schema.REVIEW`.

    It reads the logs of `lpff-ray review` and `tables/review.parquet`. The last decision on a face counts, what was
    undone does not. Faces whose decision, bin and identity are all as measured again have no row. Sorted by face_id;
    faces that are not in the run may have rows, too.

    Raises UserError if `out` holds no run, or a file of the review is wrong or damaged.
    """
    folder = open_run_folder(out)
    return state_table(folder, read_folded(folder))


def with_reviewed_identities(out: str, marks: pl.DataFrame) -> pl.DataFrame:
    """`dedupe_marks`, or some of its columns, with the identities as reviewers left them.

    Raises UserError as `review_state` does.
    """
    said = review_state(out).select("face_id", reviewed="identity_id").drop_nulls("reviewed")
    joined = marks.join(said, on="face_id", how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce("reviewed", "identity_id").alias("identity_id")).drop("reviewed")


def state_table(folder: Folder, state: Folded) -> pl.DataFrame:
    """As `review_state`, of a state that was read already."""
    said = {
        face_id: mark
        for face_id, mark in state.marks.items()
        if mark.decision is not None or mark.bin is not None or mark.note is not None
    }
    marks = schema.frame(
        [
            {
                "face_id": face_id,
                "decision": mark.decision,
                "bin": mark.bin,
                "note": mark.note,
                "reviewer": mark.reviewer,
                "time": mark.time,
            }
            for face_id, mark in said.items()
        ],
        schema.REVIEW,
    )
    changed = _changed_identities(folder, state)
    return (
        marks.drop("identity_id")
        .join(changed, on="face_id", how="full", coalesce=True)
        .select(list(schema.REVIEW))
        .sort("face_id")
    )


def _changed_identities(folder: Folder, state: Folded) -> pl.DataFrame:
    """face_id and identity_id of the faces that have another identity than `dedupe` gave them."""
    kinds = {"face_id": pl.String(), "identity_id": pl.String()}
    measured = curated.earlier_marks(folder) if state.left or state.parents else None
    if measured is None:
        return pl.DataFrame(schema=kinds)
    left = pl.DataFrame(
        {"face_id": list(state.left), "left": list(state.left.values())},
        schema_overrides={"face_id": pl.String(), "left": pl.String()},
    )
    own = pl.coalesce("left", "identity_id")
    return (
        measured.join(left, on="face_id", how="left")
        .with_columns(own.replace(state.persons()).alias("now"))
        .filter(pl.col("now") != pl.col("identity_id"))
        .select("face_id", pl.col("now").alias("identity_id"))
    )
