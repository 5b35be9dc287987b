"""The part of a frame that a clip is about, from what somebody wrote to whole pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lpff_ray.types import CropUnit

Box = tuple[float, float, float, float]
PixelBox = tuple[int, int, int, int]
"""(x0, y0, x1, y1) in whole pixels of a frame as shown, x1 and y1 excluded."""


@dataclass(frozen=True)
class Crop:
    """A crop as it was asked for.

    box: (x0, y0, x1, y1). unit: whether these are pixels of the frame as shown, or fractions of its width and height.
    """

    box: Box
    unit: CropUnit

    @classmethod
    def of(cls, box: Box, unit: CropUnit | None = None) -> Crop:
        """A crop whose unit may not have been said: then four numbers none of which exceeds 1 are fractions."""
        return cls(box, unit or unit_of(box))

    def inside(self, width: int, height: int) -> Crop | None:
        """What of the crop lies in a frame of this size (pixels); None if nothing does."""
        fractions = self.unit == CropUnit.FRACTION
        right, bottom = (1.0, 1.0) if fractions else (float(width), float(height))
        x0, y0, x1, y1 = self.box
        box = max(x0, 0.0), max(y0, 0.0), min(x1, right), min(y1, bottom)
        return None if box[0] >= box[2] or box[1] >= box[3] else Crop(box, self.unit)

    def pixels(self, width: int, height: int) -> PixelBox:
        """The smallest box of whole pixels that holds the crop, in a frame of this size; at least one pixel large."""
        x_unit, y_unit = (width, height) if self.unit == CropUnit.FRACTION else (1, 1)
        x0, y0 = math.floor(self.box[0] * x_unit), math.floor(self.box[1] * y_unit)
        x1, y1 = math.ceil(self.box[2] * x_unit), math.ceil(self.box[3] * y_unit)
        x0, y0 = min(max(x0, 0), width - 1), min(max(y0, 0), height - 1)
        return x0, y0, min(max(x1, x0 + 1), width), min(max(y1, y0 + 1), height)


def unit_of(box: Box) -> CropUnit:
    """The unit of a crop of which nobody said it: fractions if no number exceeds 1, or else pixels."""
    return CropUnit.FRACTION if max(box) <= 1 else CropUnit.PIXEL
