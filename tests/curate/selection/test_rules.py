"""Presets, a file of rules over them, settings over both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lpff_ray.curate.selection.rules import load_rules, presets
from lpff_ray.errors import UserError


def test_every_preset_can_be_read() -> None:
    assert presets() == ["efhq", "efhq-paper", "lpff", "uniform", "verification"]
    for name in presets():
        assert load_rules(name).description


def test_efhq_is_what_efhq_published() -> None:
    rules = load_rules("efhq").model_dump()
    assert rules["min_area"] == 80 * 80, "EFHQ takes faces of any size from VFHQ"
    assert (rules["min_det_score"], rules["min_hyperiqa"], rules["per_identity_bin"]) == (0.9, 42, 10)
    assert not rules["with_frontal"]


def test_settings_win_over_the_file_and_the_file_over_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text("[select]\nper_identity_bin = 3\nmin_area = 100\nmin_iqa = 30\n")
    rules = load_rules("efhq", {"per_identity_bin": 4, "min_det_score": None}, file).model_dump()
    assert (rules["per_identity_bin"], rules["min_area"], rules["min_det_score"]) == (4, 100, 0.9)
    assert (rules["min_iqa"], rules["min_iqa_quantile"], rules["min_hyperiqa"]) == (30, None, None)


def test_no_preset_takes_what_may_be_no_face() -> None:
    for name in presets():  # below 0.8 are cats and foreheads; EFHQ's own gate is 0.9
        assert (load_rules(name).min_det_score or 0) >= 0.8


@pytest.mark.parametrize(("cell", "yaw"), [(1.2, 3.6), (0.1 * 3 * 10, 90.0), (2.4, 60.0), (15.0, 90.0)])
def test_cells_that_divide_but_for_rounding_are_whole(cell: float, yaw: float) -> None:
    rules = load_rules("uniform", {"cell_degrees": cell, "max_yaw": yaw, "max_pitch": yaw})
    assert rules.model_dump()["cell_degrees"] == cell


@pytest.mark.parametrize(
    ("preset", "overrides", "message"),
    [
        ("uniform", {"cell_degrees": 1.2, "max_yaw": 3.5}, "max_yaw and max_pitch must be multiples"),
        ("uniform", {"max_pitch": 5}, "max_yaw and max_pitch must be multiples"),
        ("ffhq", {}, "preset 'ffhq': there are efhq, efhq-paper, lpff, uniform, verification"),
        ("efhq", {"budget": 5}, "setting budget: preset efhq has no such setting"),
        ("efhq", {"min_det_score": 2}, "setting min_det_score: .*less than or equal to 1"),
        ("lpff", {"extra_copies": [0.1, 0.2]}, "setting extra_copies: give falling numbers"),
        ("lpff", {"rebalance": "yes"}, "setting rebalance: "),
        ("uniform", {"cell_degrees": 25}, "max_yaw and max_pitch must be multiples of cell_degrees"),
    ],
)
def test_a_wrong_setting_is_named(preset: str, overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_rules(preset, overrides)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such configuration file"),
        ("select = [", "not a readable TOML file"),
        ("per_identity_bin = 3", r"holds no \[select\] table"),
        ("[select]\nbudget = 3", "setting budget: preset efhq has no such setting"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, content: str | None, message: str) -> None:
    file = tmp_path / "rules.toml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UserError, match=f"rules.toml: .*{message}"):
        load_rules("efhq", config=file)
