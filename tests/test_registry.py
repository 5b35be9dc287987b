"""One mechanism for everything that can be added: ours by text, other packages' by entry point."""

from __future__ import annotations

from pathlib import Path

import pytest
from other_package import install

from lpff_ray.errors import UserError
from lpff_ray.registry import Registry
from lpff_ray.types import PoseBin


@pytest.fixture
def other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with entry points in the group `lpff_ray.test_things`."""
    install(
        tmp_path / "site",
        monkeypatch,
        {"other": "class Thing:\n    made_by = 'other'\n"},
        {"lpff_ray.test_things": "thing = other:Thing\nstring = other:Thing\nbad = nowhere:Thing"},
    )
    return tmp_path


def test_ours_come_first_and_are_never_replaced(other_package: Path) -> None:
    things: Registry[type] = Registry("thing", "lpff_ray.test_things", {"string": "builtins:str"})
    assert things.names() == ["string", "bad", "thing"]
    assert things.load("string") is str
    assert things.load("thing").made_by == "other"  # type: ignore[attr-defined]


def test_what_can_not_be_had_is_one_clear_line(other_package: Path) -> None:
    things: Registry[type] = Registry("thing", "lpff_ray.test_things", {"string": "builtins:str"})
    with pytest.raises(UserError, match="thing 'no': there is no such thing; there are string, bad, thing"):
        things.load("no")
    with pytest.raises(UserError, match="thing 'bad': nowhere:Thing can not be imported"):
        things.load("bad")
    with pytest.raises(ImportError):  # ours: a bug, not the user's mistake
        Registry("thing", "lpff_ray.none", {"x": "nowhere:x"}).load("x")


def test_words_are_texts_everywhere() -> None:
    assert f"{PoseBin.LEFT}" == str(PoseBin.LEFT) == PoseBin.LEFT == "profile_left"
    assert PoseBin("frontal") is PoseBin.FRONTAL
