"""Contact sheets: many small pictures with a few words below each, in rows, as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

GAP = 6
LINE = 13
TEXT_SIZE = 11
TITLE_SIZE = 14
TITLE_LINE = 24
PAPER, INK, FAINT, EMPTY = (255, 255, 255), (20, 20, 20), (110, 110, 110), (225, 225, 225)


@dataclass(frozen=True)
class Cell:
    """One picture. picture: uint8 RGB [h, w, 3], shown whole in a square; None if there is none. lines: words below."""

    picture: NDArray[np.uint8] | None
    lines: Sequence[str] = ()


@dataclass(frozen=True)
class Section:
    """Cells under a title ("" for none)."""

    title: str
    cells: Sequence[Cell]


def contact_sheet(
    sections: Sequence[Section], side: int, columns: int, title: str = "", set_size: int = 1
) -> Image.Image:
    """The sheet. side: of a cell's picture, pixels. title: of the whole. set_size: so many cells stand close together.

    The same cells give the same pixels.
    """
    lines = max((len(cell.lines) for section in sections for cell in section.cells), default=0)
    height = side + lines * LINE + GAP
    wide = [x * (side + GAP // 2) + x // set_size * GAP for x in range(columns)]
    rows = [-(-len(section.cells) // columns) for section in sections]
    heights = [
        (TITLE_LINE if section.title else 0) + count * height
        for section, count in zip(sections, rows, strict=True)
    ]
    top = GAP + (TITLE_LINE if title else 0)
    width = wide[-1] + side + 2 * GAP
    sheet = Image.new("RGB", (width, top + sum(heights) + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    if title:
        draw.text((GAP, GAP), _fitting(title, width - 2 * GAP, TITLE_SIZE), INK, font(TITLE_SIZE))
    for section, of_section in zip(sections, heights, strict=True):
        y = top
        if section.title:
            draw.line([(GAP, y + 2), (width - GAP - 1, y + 2)], EMPTY)
            draw.text(
                (GAP, y + 5), _fitting(section.title, width - 2 * GAP, TITLE_SIZE), INK, font(TITLE_SIZE)
            )
            y += TITLE_LINE
        for number, cell in enumerate(section.cells):
            place = GAP + wide[number % columns], y + number // columns * height
            _draw_cell(sheet, draw, cell, place, side)
        top += of_section
    return sheet


def _draw_cell(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, cell: Cell, place: tuple[int, int], side: int
) -> None:
    x, y = place
    if cell.picture is None:
        draw.rectangle([x, y, x + side - 1, y + side - 1], fill=EMPTY)
        draw.text((x + side / 2, y + side / 2), "no picture", FAINT, font(TEXT_SIZE), anchor="mm")
    else:
        picture = Image.fromarray(cell.picture)
        if picture.size != (side, side):
            scale = side / max(picture.size)
            size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
            picture = picture.resize(
                size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
            )
        sheet.paste(picture, (x + (side - picture.width) // 2, y + (side - picture.height) // 2))
    for number, line in enumerate(cell.lines):
        text = _fitting(line, side, TEXT_SIZE)
        draw.text((x, y + side + 1 + number * LINE), text, FAINT if number else INK, font(TEXT_SIZE))


def _fitting(text: str, width: float, size: int) -> str:
    """The text, cut short with "..." where it is wider than that many pixels."""
    if font(size).getlength(text) <= width:
        return text
    while text and font(size).getlength(f"{text}...") > width:
        text = text[:-1]
    return f"{text}..."


@lru_cache(maxsize=4)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that Pillow carries: the same on every machine."""
    return ImageFont.load_default(size)
