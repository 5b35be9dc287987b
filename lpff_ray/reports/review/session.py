"""One reviewer's session: what was decided so far, and every action of theirs, written before it is shown."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lpff_ray.errors import UserError
from lpff_ray.monitoring.wording import counted
from lpff_ray.reports.review.catalogue import NO_BIN, NOTHING, Catalogue, chosen_ids
from lpff_ray.reports.review.suggest import Suggestion, suggestions
from lpff_ray.storage.folder import Folder
from lpff_ray.tables.review.actions import POSE_BINS, Action
from lpff_ray.tables.review.log import LogFileState, ReviewLog, read_logs
from lpff_ray.tables.review.state import folded, in_order
from lpff_ray.tables.review.table import handwritten_marks
from lpff_ray.types import ReviewAction, ReviewDecision

DECISIONS = (None, str(ReviewDecision.ACCEPT), str(ReviewDecision.REJECT))
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True)
class Shown:
    """The state as the page has it, by row: decision (a position in DECISIONS), bin moved to (NO_BIN: none), person, a
    position in `persons`. version: another one says that something changed."""

    version: int
    decision: NDArray[np.uint8]
    moved: NDArray[np.uint8]
    person: NDArray[np.uint32]

    def changed_from(self, before: Shown) -> NDArray[np.uint32]:
        """The rows that differ."""
        same = (
            (self.decision == before.decision) & (self.moved == before.moved) & (self.person == before.person)
        )
        return np.flatnonzero(~same).astype(np.uint32)


class Session:
    """A review of one run by one person. Its methods may be called from any thread."""

    def __init__(self, catalogue: Catalogue, reviewer: str) -> None:
        """Raises UserError if a file of the review is wrong or damaged, or nothing can be written there."""
        self.catalogue, self.reviewer = catalogue, reviewer
        self._folder = Folder(catalogue.out)
        self._folder.check_writable()
        self._lock = threading.RLock()
        self._log = ReviewLog(self._folder, reviewer)
        self._own: list[Action] = []
        self._own_files: set[str] = set()
        self._handwritten = handwritten_marks(self._folder)
        self._others: dict[str, LogFileState] = read_logs(self._folder)
        self.persons = list(catalogue.identities)
        self._person_of = {name: number for number, name in enumerate(self.persons)}
        self.shown: Shown
        self._fold(0)

    def refresh(self) -> Shown:
        """The state with what others have decided meanwhile."""
        with self._lock:
            found = read_logs(self._folder, self._others, self._own_files)
            if found != self._others:
                self._others = found
                self._fold(self.shown.version + 1)
            return self.shown

    def decide(self, rows: Sequence[int], decision: str | None) -> Shown:
        """Accept or reject faces; None takes back what was said of them."""
        return self._do(
            ReviewAction.DECIDE, faces=self._ids(rows), decision=_one_of(decision, ReviewDecision)
        )

    def move(self, rows: Sequence[int], bin: str | None) -> Shown:
        """Put faces into a pose bin; None: into the measured one."""
        return self._do(ReviewAction.MOVE, faces=self._ids(rows), bin=_one_of(bin, POSE_BINS))

    def merge(self, rows: Sequence[int]) -> Shown:
        """Make one person of those that these faces are of."""
        with self._lock:
            self._ids(rows)
            numbers = np.unique(self.shown.person[list(rows)])
            names = [self.persons[number] for number in numbers if number != NOTHING]
            if not names:
                raise UserError("it is not known who these faces are: run lpff-ray dedupe first")
            if len(names) < 2:
                raise UserError("these faces are of one person already: select faces of two")
            return self._do(ReviewAction.MERGE, identities=sorted(names))

    def split(self, rows: Sequence[int]) -> Shown:
        """Make these faces a person of their own."""
        with self._lock:
            faces = self._ids(rows)
            if (self.shown.person[list(rows)] == NOTHING).any():
                raise UserError("it is not known who these faces are: run lpff-ray dedupe first")
            return self._do(ReviewAction.SPLIT, faces=faces, identity=f"id-{uuid.uuid4().hex[:12]}")

    def suggest(self, rows: Sequence[int]) -> tuple[list[Suggestion], int]:
        """Bins for those of the faces that lack a sign, see `suggest.suggestions`."""
        with self._lock:
            self._ids(rows)
            shown = self.shown
            bins = np.where(shown.moved == NO_BIN, self.catalogue.columns["bin"], shown.moved)
            return suggestions(self.catalogue, np.array(rows, np.uint32), bins)

    def move_all(self, moves: Sequence[tuple[Sequence[int], str]]) -> Shown:
        """Put several lots of faces each into its bin, as one action for `undo`."""
        with self._lock:
            group = _new_id()
            lots: dict[str, list[int]] = {}
            for rows, bin in moves:
                lots.setdefault(bin, []).extend(rows)
            ready = [(self._ids(rows), _one_of(bin, POSE_BINS)) for bin, rows in sorted(lots.items())]
            for faces, bin in ready:
                self._do(ReviewAction.MOVE, faces=faces, bin=bin, group=group)
            return self.shown

    def undo(self) -> Shown:
        """Take back this reviewer's last action that counts, also one of an earlier session."""
        with self._lock:
            last = self.last()
            if last is None:
                raise UserError("there is nothing to undo")
            return self._do(ReviewAction.UNDO, undoes=last.group or last.id)

    def redo(self) -> Shown:
        """Take back the last `undo`, unless something was decided since."""
        with self._lock:
            target = self._undone()
            if target is None:
                raise UserError("there is nothing to repeat")
            return self._do(ReviewAction.UNDO, undoes=target.id)

    def last(self) -> Action | None:
        """This reviewer's last action that counts."""
        own = (action for action in reversed(self._state.counted) if action.reviewer == self.reviewer)
        return next(own, None)

    def summary(self) -> dict[str, Any]:
        """What the page says besides the state of the faces."""
        with self._lock:
            last, undone = self.last(), self._undone()
            return {
                "version": self.shown.version,
                "persons": len(self.persons),
                "new_persons": self.persons[len(self.catalogue.identities) :],
                "undo": None if last is None else self._told(last),
                "redo": None if undone is None else "the last undo",
                "actions": len(self._state.counted),
                "reviewers": sorted({action.reviewer for action in self._state.counted}),
            }

    def said_of(self, row: int) -> dict[str, Any]:
        """What was decided on one face, by whom and when."""
        mark = self._state.marks.get(self.catalogue.face_ids[row])
        return {} if mark is None else {"reviewer": mark.reviewer, "time": mark.time, "note": mark.note}

    def close(self) -> tuple[int, list[str]]:
        """End the session: how many actions it wrote, and into which files."""
        with self._lock:
            self._log.close()
            return len(self._own), sorted(self._own_files)

    def _do(self, kind: ReviewAction, **fields: Any) -> Shown:
        """Write an action, then let it count."""
        with self._lock:
            action = Action(id=_new_id(), time=self._now(), reviewer=self.reviewer, action=kind, **fields)
            self._log.add(action)
            self._own_files.add(self._log.name.rpartition("/")[2])
            self._own.append(action)
            if kind == ReviewAction.UNDO:
                self._fold(self.shown.version + 1)
            else:  # later than all others: nothing has to be folded again
                self._actions.append(action)
                self._state.add(action)
                self.shown = self._after(action)
            return self.shown

    def _fold(self, version: int) -> None:
        actions = [action for file in self._others.values() for action in file.actions] + self._own
        self._actions = in_order(actions)
        self._state = folded(self._actions, self._handwritten)
        decision = np.zeros(len(self.catalogue), np.uint8)
        moved = np.full(len(self.catalogue), NO_BIN, np.uint8)
        self._write_marks(self._state.marks, decision, moved)
        self.shown = Shown(version, decision, moved, self._people())

    def _after(self, action: Action) -> Shown:
        """What is shown when one more action counts."""
        version, shown = self.shown.version + 1, self.shown
        if action.action in (ReviewAction.MERGE, ReviewAction.SPLIT):
            return Shown(version, shown.decision, shown.moved, self._people())
        decision, moved = shown.decision.copy(), shown.moved.copy()
        self._write_marks(action.faces, decision, moved)
        return Shown(version, decision, moved, shown.person)

    def _write_marks(
        self, face_ids: Iterable[str], decision: NDArray[np.uint8], moved: NDArray[np.uint8]
    ) -> None:
        """Write what is said of some faces into their rows."""
        numbers = {name: number for number, name in enumerate(POSE_BINS)}
        for face_id in face_ids:
            row = self.catalogue.row_of.get(face_id)
            if row is not None:
                mark = self._state.marks[face_id]
                decision[row] = DECISIONS.index(mark.decision)
                moved[row] = numbers.get(coarse(mark.bin) or "", NO_BIN)

    def _people(self) -> NDArray[np.uint32]:
        """The person of every row, a position in `persons`."""
        state, catalogue = self._state, self.catalogue
        person = catalogue.columns["identity"].copy()
        for face_id, name in state.left.items():
            row = catalogue.row_of.get(face_id)
            if row is not None:
                person[row] = self._number(name)
        now = {self._number(name): self._number(stands_for) for name, stands_for in state.persons().items()}
        stands_for = np.arange(len(self.persons) + 1, dtype=np.uint32)
        stands_for[-1] = NOTHING
        stands_for[list(now)] = list(now.values())
        return stands_for[np.minimum(person, len(self.persons))]

    def _number(self, name: str) -> int:
        """The position of a person, who may be new."""
        if name not in self._person_of:
            self._person_of[name] = len(self.persons)
            self.persons.append(name)
        return self._person_of[name]

    def _undone(self) -> Action | None:
        """The undo that `redo` takes back."""
        undone: set[str | None] = set()
        kinds = {action.id: action.action for action in self._actions}
        for action in reversed(self._actions):
            if action.reviewer != self.reviewer or action.id in undone or action.group in undone:
                continue
            if action.action != ReviewAction.UNDO:
                return None
            undone.add(action.undoes)
            if kinds.get(action.undoes or "") != ReviewAction.UNDO:
                return action
        return None

    def _told(self, action: Action) -> str:
        """An action in a few words."""
        if action.group is not None:
            same = [one for one in self._state.counted if one.group == action.group]
            return f"{counted(sum(len(one.faces) for one in same), 'face')} set as suggested"
        faces = counted(len(action.faces), "face")
        if action.action == ReviewAction.DECIDE:
            return f"{faces} {f'{action.decision}ed' if action.decision else 'undecided again'}"
        if action.action == ReviewAction.MOVE:
            return (
                f"{faces} moved to {action.bin.removeprefix('profile_')}"
                if action.bin
                else f"{faces} moved back"
            )
        if action.action == ReviewAction.MERGE:
            return f"{len(action.identities)} people merged"
        return f"{faces} split off"

    def _ids(self, rows: Sequence[int]) -> list[str]:
        if not rows:
            raise UserError("no face is selected")
        return chosen_ids(self.catalogue, rows)

    def _now(self) -> str:
        """UTC, later than every action that is known: then an order by time is the order in which things happened."""
        now = datetime.now(timezone.utc)
        if self._actions:
            last = datetime.strptime(self._actions[-1].time, _TIME).replace(tzinfo=timezone.utc)
            now = max(now, last + timedelta(microseconds=1))
        return now.strftime(_TIME)


def coarse(bin: str | None) -> str | None:
    """The pose bin of a fine one that was written by hand; others stay."""
    if bin is None or bin in POSE_BINS:
        return bin
    return f"profile_{bin.split('_')[0]}"


def _one_of(value: str | None, allowed: Any) -> Any:
    names = [str(name) for name in allowed]
    if value is not None and value not in names:
        raise UserError(f"{value!r} is none of {', '.join(names)}")
    return value


def _new_id() -> str:
    return uuid.uuid4().hex[:16]
