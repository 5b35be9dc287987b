"""Contact sheets: every picture in its place, whatever its shape, and words that fit."""

from __future__ import annotations

import numpy as np
import pytest

from lpff_ray.exports.imaging.contact_sheet import EMPTY, GAP, Cell, Section, contact_sheet, font


def flat(colour: tuple[int, int, int], height: int = 40, width: int = 40) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def test_cells_follow_each_other_in_rows() -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 0, 255), (0, 255, 255)]
    sheet = np.asarray(contact_sheet([Section("", [Cell(flat(colour)) for colour in colours])], 40, 2))
    middles = [
        sheet[GAP + row * (40 + GAP) + 20, GAP + column * 49 + 20] for row in range(3) for column in range(2)
    ]
    assert [tuple(middle) for middle in middles[:5]] == colours
    assert tuple(middles[5]) == (255, 255, 255)


def test_a_picture_of_another_shape_is_shown_whole() -> None:
    wide = np.hstack([flat((255, 0, 0), 30, 60), flat((0, 0, 255), 30, 60)])
    sheet = np.asarray(contact_sheet([Section("", [Cell(wide)])], 40, 1))
    inside = sheet[GAP : GAP + 40, GAP : GAP + 40]
    assert tuple(inside[20, 3]) == (255, 0, 0)
    assert tuple(inside[20, 36]) == (0, 0, 255)
    assert (inside[:14] == 255).all()
    assert (inside[27:] == 255).all()


def test_a_missing_picture_is_an_empty_cell() -> None:
    sheet = np.asarray(contact_sheet([Section("", [Cell(None, ["name"])])], 80, 1))
    assert tuple(sheet[GAP + 3, GAP + 3]) == EMPTY


@pytest.mark.parametrize("text", ["a" * 500, "ä 名前 \u202e", ""])
def test_words_stay_in_their_cell(text: str) -> None:
    sheet = np.asarray(contact_sheet([Section(text, [Cell(flat((0, 0, 0)), [text])])], 40, 3, title=text))
    assert (sheet[:, -GAP:] == 255).all(), "nothing reaches the edge"
    below = sheet[-GAP - 14 : -GAP + 2, GAP + 41 :]
    assert (below == 255).all(), "nor the next cell"


def test_the_same_cells_give_the_same_pixels() -> None:
    sheets = [contact_sheet([Section("x", [Cell(flat((1, 2, 3), 50, 70), ["y"])])], 40, 2) for _ in range(2)]
    assert sheets[0].tobytes() == sheets[1].tobytes()
    assert font(11) is font(11)
