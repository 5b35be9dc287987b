"""ROC curves as a picture, drawn with Pillow: the false accept rate on a logarithmic axis, as verification is shown."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lpff_ray.exports.evaluation.roc import Roc

SIZE, LEFT, TOP, SIDE = (640, 640), 80, 40, 520
SHARP = 3  # drawn so many times larger, then averaged down: Pillow's lines are jagged
COLOURS = ((31, 119, 180), (214, 96, 20), (44, 140, 60), (148, 60, 160), (120, 120, 120))
INK, FAINT = (40, 40, 40), (222, 222, 222)


def roc_png(curves: Mapping[str, Roc], title: str) -> bytes:
    """A PNG of curves by name, 640 x 640 pixels.

    The axis reaches down to the smallest rate that the list with most negatives can show, one false accept; each curve
    begins at its own.
    """
    decades = max([1, *(math.ceil(math.log10(curve.negatives) - 1e-9) for curve in curves.values())])
    width, height = (edge * SHARP for edge in SIZE)
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(15 * SHARP)

    def at(far: float, tar: float) -> tuple[float, float]:
        x = 1 + math.log10(max(far, 10.0**-decades)) / decades
        return (LEFT + x * SIDE) * SHARP, (TOP + (1 - tar) * SIDE) * SHARP

    for decade in range(decades + 1):
        x, bottom = at(10.0**-decade, 0)
        draw.line([(x, bottom), at(10.0**-decade, 1)], FAINT, SHARP)
        draw.text((x, bottom + 8 * SHARP), f"1e-{decade}" if decade else "1", INK, font, "mt")
    for tenth in range(0, 11, 2):
        start = at(0, tenth / 10)
        draw.line([start, at(1, tenth / 10)], FAINT, SHARP)
        draw.text((start[0] - 8 * SHARP, start[1]), f"{tenth / 10:.1f}", INK, font, "rm")
    draw.rectangle([at(0, 1), at(1, 0)], outline=INK, width=SHARP)
    draw.line([at(far / 500, far / 500) for far in range(501)], FAINT, 2 * SHARP)  # chance
    for place, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[place % len(COLOURS)]
        rates = np.maximum(curve.far, 1 / curve.negatives)
        corners = [at(rates[0], 0.0)]
        for far, (before, tar) in zip(rates[1:], pairwise(curve.tar), strict=True):
            corners += [at(far, before), at(far, tar)]
        draw.line(corners, colour, 3 * SHARP, "curve")
        label = f"{name}  AUC {curve.auc():.4f}  n = {curve.positives} + {curve.negatives}"
        line = (LEFT + SIDE - 10) * SHARP, (TOP + SIDE - (len(curves) - place) * 24) * SHARP
        draw.text(line, label, colour, font, "rt")
    middle = (LEFT + SIDE / 2) * SHARP
    draw.text((middle, 10 * SHARP), title, INK, font, "mt")
    draw.text((middle, (TOP + SIDE + 40) * SHARP), "false accept rate", INK, font, "mt")
    side = Image.new("RGB", (SIDE * SHARP, 24 * SHARP), "white")
    ImageDraw.Draw(side).text((SIDE * SHARP / 2, 2 * SHARP), "true accept rate", INK, font, "mt")
    picture.paste(side.rotate(90, expand=True), (4 * SHARP, TOP * SHARP))
    content = io.BytesIO()
    picture.resize(SIZE, Image.Resampling.BOX).save(content, "PNG", optimize=True)
    return content.getvalue()
