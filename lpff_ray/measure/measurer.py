"""Frames in, measured faces out: the order of the stages, cheapest first, and what each hands to the next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.config import MineConfig
from lpff_ray.decode.frame_source import Frame
from lpff_ray.errors import UserError
from lpff_ray.measure.columns import EMBEDDING_WIDTH, measured
from lpff_ray.measure.contract import AnyMeasure, CropMeasure, FaceBatch, Measure, Values, checked
from lpff_ray.measure.detection.detections import Detections
from lpff_ray.measure.pose.fused import fused_pose, learned_pose
from lpff_ray.measure.pose.landmarks import FaceMesh
from lpff_ray.measure.quality.measures import Brightness, PerceptualHash
from lpff_ray.measure.registry import DETECTORS, EMBEDDINGS, ESTIMATORS, IMAGE_QUALITY, MEASURES
from lpff_ray.models.cards import load_cards
from lpff_ray.models.runtimes import PoseModel
from lpff_ray.monitoring.timing import Timed

OURS = 4  # measures that every run has
CHECK_SIDE = 128  # pixels of the picture that a worker's models are tried on


@dataclass
class Measurements(Timed):
    """Faces measured so far: a list per column of the faces table, and counts and seconds for the record.

    One per segment, so that threads share models but never results. waiting: crops of each CropMeasure, by its name,
    that do not fill a batch yet.
    """

    columns: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    frames: int = 0
    rejected: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    waiting: dict[str, list[NDArray[np.uint8]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, values: Mapping[str, Values]) -> None:
        """Append a value per face to some columns."""
        for name, column in values.items():
            self.columns[name].extend(column)


class FaceMeasurer:
    """The models in their order. Thread-safe: all state of a segment lives in its `Measurements`."""

    def __init__(self, config: MineConfig, device: str) -> None:
        """Raises UserError if a model's file is missing or wrong, or the device is absent."""
        self.focal_factor = config.focal_factor
        self.detector = DETECTORS.load(config.detector)(device, config.min_face_px, config.min_det_score)
        self.mesh = FaceMesh(load_cards()["facemesh"].path(), device)
        self.pose = PoseModel(device)
        self.estimators = {name: ESTIMATORS.load(name)(device) for name in config.pose_votes}
        self.embedding = EMBEDDINGS.load(config.embedding)
        self.measures: list[AnyMeasure] = [
            IMAGE_QUALITY.load(config.iqa)(device),
            Brightness(device),
            self.embedding.load(device),
            PerceptualHash(device),
            *(MEASURES.load(name)(device) for name in config.measures),
        ]
        self.further = _further(self.measures)

    def measure(
        self, frames: Sequence[Frame], into: Measurements, crop: tuple[int, int, int, int] | None = None
    ) -> None:
        """Measure every face of frames of one size and append their columns.

        crop: x0, y0, x1, y1 in pixels: only this part of the frames is looked at; coordinates stay the frame's.
        """
        pictures = [frame.rgb for frame in frames]
        height, width = pictures[0].shape[:2]
        origin = (0.0, 0.0)
        if crop is not None:
            x0, y0, x1, y1 = crop
            pictures = [np.ascontiguousarray(picture[y0:y1, x0:x1]) for picture in pictures]
            origin = (float(x0), float(y0))
        with into.timed("detect"):
            detections = self.detector.detect(pictures)
        into.frames += len(frames)
        into.rejected += sum(found.rejected for found in detections)
        faces = _joined(detections, pictures, origin, width, height)
        if not len(faces):
            return
        faces = self._measure_faces(faces, into)
        for number, count in enumerate(np.bincount(faces.frames)):
            into.columns["frame_index"].extend([frames[number].index] * count)
            into.columns["pts_ns"].extend([frames[number].pts_ns] * count)
            into.columns["face_index"].extend(range(count))

    def _measure_faces(self, faces: FaceBatch, into: Measurements) -> FaceBatch:
        """Measure detected faces; returns those that are rows: a second detection of one face is none."""
        with into.timed("pose"):
            learned = learned_pose(self.pose, faces.pictures, faces.boxes)
        once = np.flatnonzero(~seen_twice(faces, learned.middle))
        into.rejected += len(faces) - len(once)
        faces, learned = faces.of(once), learned.of(once)
        with into.timed("landmarks"):
            meshes = self.mesh(list(faces.pictures), faces.boxes, faces.keypoints)
        with into.timed("pose"):
            focal = self.focal_factor * max(faces.width, faces.height)
            voted = {name: vote(faces.pictures, faces.boxes) for name, vote in self.estimators.items()}
            fused = fused_pose(faces, meshes, learned, voted, focal)
            into.add(fused.columns)
        faces = fused.faces
        for measure in self.measures:
            with into.timed(measure.stage):
                if isinstance(measure, Measure):
                    into.add(checked(measure, measure.measure(faces), len(faces)))
                elif isinstance(measure, CropMeasure):
                    waiting = into.waiting[measure.name]
                    waiting.extend(measure.crops(faces))
                    while len(waiting) >= measure.batch:
                        _measure_crops(measure, waiting, measure.batch, into)
        into.add(_found(faces))
        return faces

    def finish(self, into: Measurements) -> None:
        """Measure the crops that are left over from the last full batches."""
        for measure in self.measures:
            if isinstance(measure, CropMeasure) and into.waiting[measure.name]:
                with into.timed(measure.stage):
                    waiting = into.waiting[measure.name]
                    _measure_crops(measure, waiting, len(waiting), into)

    def check(self) -> None:
        """Run every model on a picture that is known to be good; raises whatever one of them raises.

        So a model or a device that can work no more is told from a picture that it can not take.
        """
        picture = np.random.default_rng(0).integers(0, 256, (CHECK_SIDE, CHECK_SIDE, 3), np.uint8)
        self.detector.detect([picture])
        low, high = CHECK_SIDE / 4, CHECK_SIDE * 3 / 4
        points = [(0.4, 0.45), (0.6, 0.45), (0.5, 0.55), (0.5, 0.65), (0.3, 0.5), (0.7, 0.5)]
        face = FaceBatch(
            pictures=[picture],
            frames=np.zeros(1, np.int64),
            boxes=np.array([[low, low, high, high]], np.float32),
            scores=np.ones(1, np.float32),
            keypoints=np.array([points], np.float32) * CHECK_SIDE,
            width=CHECK_SIDE,
            height=CHECK_SIDE,
        )
        tried = Measurements()
        self._measure_faces(face, tried)
        self.finish(tried)


def _further(measures: Sequence[AnyMeasure]) -> dict[str, pl.DataType]:
    """The columns that are not in every run's faces table, in the order of their measures.

    Raises UserError if a measure makes a column that there is already.
    """
    ours = measured(EMBEDDING_WIDTH)
    further: dict[str, pl.DataType] = {}
    for number, measure in enumerate(measures):
        for name, kind in measure.columns.items():
            if name in further or (name in ours and number >= OURS):
                raise UserError(
                    f"measure {measure.name}: there is a column {name} already; give it another name"
                )
            if name not in ours:
                further[name] = kind
    return further


def _measure_crops(
    measure: CropMeasure, waiting: list[NDArray[np.uint8]], count: int, into: Measurements
) -> None:
    into.add(checked(measure, measure.measure_crops(np.stack(waiting[:count])), count))
    del waiting[:count]


def _found(faces: FaceBatch) -> dict[str, Values]:
    """The columns that detection itself makes."""
    sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
    return {
        "frame_width": [faces.width] * len(faces),
        "frame_height": [faces.height] * len(faces),
        "bbox": (faces.boxes + np.tile(faces.origin, 2)).astype(np.float32),
        "det_score": faces.scores,
        "face_px": np.minimum(*sides.T),
    }


def seen_twice(faces: FaceBatch, middles: NDArray) -> NDArray[np.bool_]:
    """Which faces [n] are a second detection of a better one of their frame: PoseNet puts their middle into its box.

    middles [n, 2]: `pose.Learned`'s. Where a face is large in its frame, a finer
    pass of the detector takes forehead and eyes, or half of the face and what is beside it, for a face as well (scores
    up to 0.86; in every third frame of clips that were enlarged until faces had 500 pixels). Such boxes overlap the
    true one no more than those of two people cheek to cheek do, but PoseNet sees through them where the face is.
    """
    twice = np.zeros(len(faces), bool)
    order = np.argsort(-faces.scores, kind="stable")
    for rank, face in enumerate(order):
        better = order[:rank]
        boxes = faces.boxes[better[(faces.frames[better] == faces.frames[face]) & ~twice[better]]]
        twice[face] = ((middles[face] > boxes[:, :2]) & (middles[face] < boxes[:, 2:])).all(1).any()
    return twice


def _joined(
    detections: Sequence[Detections],
    pictures: Sequence[NDArray[np.uint8]],
    origin: tuple[float, float],
    width: int,
    height: int,
) -> FaceBatch:
    """The faces of all frames as one batch."""
    frames = np.repeat(np.arange(len(detections)), [len(found.boxes) for found in detections])
    return FaceBatch(
        pictures=[pictures[number] for number in frames],
        frames=frames,
        boxes=np.concatenate([found.boxes for found in detections]),
        scores=np.concatenate([found.scores for found in detections]),
        keypoints=np.concatenate([found.keypoints for found in detections]),
        origin=origin,
        width=width,
        height=height,
    )
