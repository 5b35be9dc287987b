"""The interface of measures, which add columns to the faces table, and the batch of faces that they measure.

A measure is one class in one file:

    class Smile(Measure):
        name = "smile"
        columns = pl.Schema({"smile": pl.Float32()})

        def measure(self, faces: FaceBatch) -> Mapping[str, Values]:
            return {"smile": [smile_of(picture, box) for picture, box in zip(faces.pictures, faces.boxes)]}

It is registered under a name in `measure/registry.py`, or by an entry point of another package.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.geometry.quarter_turns import turned_boxes, turned_points, turned_rotations
from lpff_ray.measure.identity.chips import aligned_chip

Values = Sequence[Any] | NDArray
"""One value per face."""

_SHAPES: dict[str, tuple[int | None, ...]] = {
    "frames": (),
    "turns": (),
    "boxes": (4,),
    "inner_boxes": (4,),
    "scores": (),
    "keypoints": (None, 2),
    "rotation": (3, 3),
    "five_points": (5, 2),
}
"""Of arrays with a value per face, without their first axis; None: any length."""


@dataclass(frozen=True)
class FaceBatch:
    """Faces found in some frames of one size, and what has been measured of them so far: n faces of any of the frames.

    pictures: per face the picture that it was found in, uint8 RGB [h, w, 3]: its frame, or the clip's crop of it,
        turned so that the face is upright, within about 45 degrees.
    frames: int64 [n], index of the frame that the face is in, ascending.
    turns: int64 [n], the quarter turns anticlockwise between frame and picture (`geometry.quarter_turns`), mostly 0.
    boxes: float32 [n, 4], x0, y0, x1, y1 of the whole face, in pixels of the picture, as is what follows.
    inner_boxes: float32 [n, 4], the square from brows to chin that BlazeFace would give, at first the detector's word,
        then, with the pose, PoseNet's: crops are made around it, so they hardly depend on the detector.
    keypoints: float32 [n, k, 2], the detector's, in the order of its scheme. scores: float32 [n], 0..1.
    origin: x, y in the frame of the corner of the picture before it was turned. width, height: of the frame, pixels.
    rotation: float64 [n, 3, 3], head to camera as the face looks in its surroundings, and five_points: float64 [n, 5,
        2], eyes, nose tip, mouth corners in pixels of the picture, the subject's right first: None until the pose is
        known.

    Raises ValueError, which names the field, where a shape is another.
    """

    pictures: Sequence[NDArray[np.uint8]]
    frames: NDArray[np.int64]
    turns: NDArray[np.int64]
    boxes: NDArray[np.float32]
    inner_boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    origin: tuple[float, float] = (0.0, 0.0)
    width: int = 0
    height: int = 0
    rotation: NDArray[np.float64] | None = None
    five_points: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        for name, shape in _SHAPES.items():
            value = getattr(self, name)
            if value is None:
                continue
            wanted = (len(self.pictures), *shape)
            if len(value.shape) != len(wanted) or any(
                side not in (None, there) for side, there in zip(wanted, value.shape, strict=True)
            ):
                text = ", ".join("k" if side is None else str(side) for side in wanted)
                raise ValueError(f"FaceBatch.{name} has the shape {list(value.shape)}, not [{text}]")
        for picture in self.pictures:
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
                raise ValueError(
                    f"FaceBatch.pictures holds {picture.dtype} {picture.shape}, not uint8 [h, w, 3]"
                )

    def __len__(self) -> int:
        return len(self.pictures)

    def subset(self, which: NDArray[np.int64]) -> FaceBatch:
        """Some of the faces, by index."""
        chosen = {name: getattr(self, name) for name in _SHAPES}
        kept = {name: value[which] for name, value in chosen.items() if value is not None}
        return replace(self, pictures=[self.pictures[index] for index in which], **kept)

    def with_pose(
        self,
        rotation: NDArray[np.float64],
        five_points: NDArray[np.float64],
        boxes: NDArray[np.float32],
        inner_boxes: NDArray[np.float32],
    ) -> FaceBatch:
        """The same faces with their pose, and with boxes that know it."""
        return replace(self, rotation=rotation, five_points=five_points, boxes=boxes, inner_boxes=inner_boxes)

    def points_in_frame(self, points: NDArray) -> NDArray[np.float64]:
        """Points [n, k, 2] of the pictures, in pixels of the frame."""
        return turned_points(points, -self.turns, self._picture_sizes()) + np.asarray(self.origin)

    def boxes_in_frame(self, boxes: NDArray) -> NDArray[np.float64]:
        """Boxes [n, 4] of the pictures, in pixels of the frame."""
        return turned_boxes(boxes, -self.turns, self._picture_sizes()) + np.tile(self.origin, 2)

    def rotations_in_frame(self, rotations: NDArray) -> NDArray[np.float64]:
        """Head rotations [n, 3, 3] as seen in the pictures, as seen in the frame."""
        return turned_rotations(rotations, -self.turns)

    def _picture_sizes(self) -> NDArray[np.int64]:
        return np.array([picture.shape[1::-1] for picture in self.pictures], np.int64).reshape(-1, 2)

    @cached_property
    def aligned_chips(self) -> list[NDArray[np.uint8]]:
        """Upright chips uint8 RGB [150, 150, 3], see `chips.aligned_chip`; of faces with their pose only."""
        assert self.five_points is not None
        return [
            aligned_chip(picture, five) for picture, five in zip(self.pictures, self.five_points, strict=True)
        ]


assert _SHAPES.keys() <= {field.name for field in fields(FaceBatch)}


class AnyMeasure(ABC):
    """What all measures have in common.

    name: as it is registered. columns: what it adds to the faces table, with types.
    stage: what its time is counted as in the `segments` table.
    """

    def __init__(self, device: str) -> None:
        """device: "cpu", "cuda" or "cuda:N". Raises UserError if a model's file is missing, or the device absent."""
        self.device = device

    name: ClassVar[str]
    columns: pl.Schema
    stage: str = "quality"


class Measure(AnyMeasure):
    """A measure that computes its columns batch by batch. Threads share one, so it keeps no state of a segment."""

    @abstractmethod
    def measure(self, faces: FaceBatch) -> Mapping[str, Values]:
        """A value per face for each of `columns`. faces: with their pose."""


class CropMeasure(AnyMeasure):
    """A measure that computes its columns from one crop per face, in batches of a fixed size.

    Crops are kept until a batch is full, or the segment ends, so that a network never runs on a batch that is mostly
    empty. batch: crops in one batch.
    """

    batch: int = 16

    @abstractmethod
    def crops(self, faces: FaceBatch) -> Sequence[NDArray[np.uint8]]:
        """A crop per face, all of one shape. faces: with their pose."""

    @abstractmethod
    def measure_crops(self, crops: NDArray[np.uint8]) -> Mapping[str, Values]:
        """A value per crop of [k, ...], k at most `batch`, for each of `columns`."""


def checked(measure: AnyMeasure, found: Mapping[str, Values], count: int) -> Mapping[str, Values]:
    """`found`, which `measure` returned, if it has a value per face for each column; else raises ValueError."""
    if found.keys() != set(measure.columns):
        raise ValueError(f"measure {measure.name} made {sorted(found)}, not {sorted(measure.columns)}")
    for name, values in found.items():
        if len(values) != count:
            raise ValueError(f"measure {measure.name}: {len(values)} values of {name} for {count} faces")
    return found
