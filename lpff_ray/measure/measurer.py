"""Measures every face of decoded frames: detection, pose, then the measures, in this order."""

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
from lpff_ray.geometry.quarter_turns import turned_boxes, turned_points
from lpff_ray.geometry.rotation import upright_angle
from lpff_ray.measure.columns import EMBEDDING_WIDTH, measured
from lpff_ray.measure.contract import AnyMeasure, CropMeasure, FaceBatch, Measure, Values, checked
from lpff_ray.measure.detection.detections import Detections
from lpff_ray.measure.pose.fused import fused_pose
from lpff_ray.measure.pose.landmarks import FaceMesh
from lpff_ray.measure.pose.learned import learned_pose
from lpff_ray.measure.quality.measures import Brightness, PerceptualHash
from lpff_ray.measure.registry import DETECTORS, EMBEDDINGS, ESTIMATORS, IMAGE_QUALITY, MEASURES
from lpff_ray.models.cards import load_cards
from lpff_ray.models.precision import Precision, precision
from lpff_ray.models.runtimes import PoseModel
from lpff_ray.monitoring.timing import Timed

BUILT_IN = 4  # measures that every run has
CHECK_SIDE = 128  # side of the picture that `FaceMeasurer.check` runs the models on, pixels


@dataclass
class Measurements(Timed):
    """The faces of a segment measured so far: a list per column of the faces table, and counts and seconds.

    There is one per segment, so threads share models but never results. rejected: detections that are no row. waiting:
    crops of each CropMeasure, by its name, that do not fill a batch yet.
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
    """All models of a run, and the order in which they measure. Thread-safe: all state is in `Measurements`."""

    def __init__(self, config: MineConfig, device: str) -> None:
        """Raises UserError if a model's file is missing or wrong, or the device is absent."""
        self.focal_factor = config.focal_factor
        self.min_face_px = config.min_face_px
        with precision(Precision(config.precision)):
            self._load(config, device)
        self.extra_columns = _extra_columns(self.measures)

    def _load(self, config: MineConfig, device: str) -> None:
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

    def measure(
        self, frames: Sequence[Frame], into: Measurements, crop: tuple[int, int, int, int] | None = None
    ) -> None:
        """Measure every face of frames of one size and append their columns.

        crop: x0, y0, x1, y1 in pixels: only this part of the frames is measured; coordinates are still the frame's.
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
        faces = _face_batch(detections, pictures, origin, width, height)
        if not len(faces):
            return
        faces = self._measure_faces(faces, into, self.min_face_px)
        for number, count in enumerate(np.bincount(faces.frames)):
            into.columns["frame_index"].extend([frames[number].index] * count)
            into.columns["pts_ns"].extend([frames[number].pts_ns] * count)
            into.columns["face_index"].extend(range(count))

    def _measure_faces(self, faces: FaceBatch, into: Measurements, min_face_px: float) -> FaceBatch:
        """Measure detected faces; returns those that become rows: large enough, and each face once."""
        with into.timed("pose"):
            learned = learned_pose(self.pose, faces.pictures, faces.inner_boxes)
        kept = np.flatnonzero((learned.face_px() >= min_face_px) & ~second_detections(faces, learned.middle))
        into.rejected += len(faces) - len(kept)
        faces, learned = faces.subset(kept), learned.subset(kept)
        if not len(faces):
            return faces
        inner_boxes = learned.inner_boxes()
        with into.timed("landmarks"):
            meshes = self.mesh(faces.pictures, inner_boxes, upright_angle(learned.rotation))
        with into.timed("pose"):
            focal = self.focal_factor * max(faces.width, faces.height)
            estimates = {
                name: estimate(faces.pictures, inner_boxes) for name, estimate in self.estimators.items()
            }
            fused = fused_pose(faces, meshes, learned, self.detector.scheme, estimates, focal)
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
        into.add(_detection_columns(faces))
        return faces

    def finish(self, into: Measurements) -> None:
        """Measure the crops that did not fill a batch. Call it at the end of a segment."""
        for measure in self.measures:
            if isinstance(measure, CropMeasure) and into.waiting[measure.name]:
                with into.timed(measure.stage):
                    waiting = into.waiting[measure.name]
                    _measure_crops(measure, waiting, len(waiting), into)

    def check(self) -> None:
        """Run every model on a picture that is known to be good; raises whatever one of them raises.

        It shows whether a model or its device is broken, or only can not take some picture.
        """
        picture = np.random.default_rng(0).integers(0, 256, (CHECK_SIDE, CHECK_SIDE, 3), np.uint8)
        self.detector.detect([picture])
        low, high = CHECK_SIDE / 4, CHECK_SIDE * 3 / 4
        points = self.detector.scheme.model[:, :2] / 20 + 0.5
        face = FaceBatch(
            pictures=[picture],
            frames=np.zeros(1, np.int64),
            turns=np.zeros(1, np.int64),
            boxes=np.array([[low, low, high, high]], np.float32),
            inner_boxes=np.array([[low, low, high, high]], np.float32),
            scores=np.ones(1, np.float32),
            keypoints=points[None].astype(np.float32) * CHECK_SIDE,
            width=CHECK_SIDE,
            height=CHECK_SIDE,
        )
        tried = Measurements()
        self._measure_faces(face, tried, min_face_px=0.0)
        self.finish(tried)


def _extra_columns(measures: Sequence[AnyMeasure]) -> dict[str, pl.DataType]:
    """The columns that are not in every run's faces table, in the order of their measures.

    Raises UserError if a measure makes a column that there is already.
    """
    built_in = measured(EMBEDDING_WIDTH)
    extra: dict[str, pl.DataType] = {}
    for number, measure in enumerate(measures):
        for name, kind in measure.columns.items():
            if name in extra or (name in built_in and number >= BUILT_IN):
                raise UserError(
                    f"measure {measure.name}: there is a column {name} already; give it another name"
                )
            if name not in built_in:
                extra[name] = kind
    return extra


def _measure_crops(
    measure: CropMeasure, waiting: list[NDArray[np.uint8]], count: int, into: Measurements
) -> None:
    into.add(checked(measure, measure.measure_crops(np.stack(waiting[:count])), count))
    del waiting[:count]


def _detection_columns(faces: FaceBatch) -> dict[str, Values]:
    """The columns that detection itself makes."""
    return {
        "frame_width": [faces.width] * len(faces),
        "frame_height": [faces.height] * len(faces),
        "bbox": faces.boxes_in_frame(faces.boxes).astype(np.float32),
        "det_score": faces.scores,
        "face_px": faces.inner_boxes[:, 2] - faces.inner_boxes[:, 0],
    }


def second_detections(faces: FaceBatch, middles: NDArray) -> NDArray[np.bool_]:
    """Which faces [n] are a second detection of a face of the same frame with a higher score.

    middles: [n, 2], as in `LearnedPose`. In a large face a finer pass of the detector may find another face, in a part
    of it. IoU does not show that, since the boxes of two people cheek to cheek overlap as much; but PoseNet, run on the
    worse box, finds the middle of the face inside the better one.
    Evidence: docs/evidence/detection.md#second-detections
    """
    twice = np.zeros(len(faces), bool)
    order = np.argsort(-faces.scores, kind="stable")
    in_frame = faces.boxes_in_frame(faces.boxes)
    middles = faces.points_in_frame(middles[:, None])[:, 0]
    for rank, face in enumerate(order):
        better = order[:rank]
        boxes = in_frame[better[(faces.frames[better] == faces.frames[face]) & ~twice[better]]]
        twice[face] = ((middles[face] > boxes[:, :2]) & (middles[face] < boxes[:, 2:])).all(1).any()
    return twice


def _face_batch(
    detections: Sequence[Detections],
    pictures: Sequence[NDArray[np.uint8]],
    origin: tuple[float, float],
    width: int,
    height: int,
) -> FaceBatch:
    """The faces of all frames as one batch, in pictures turned so that they are upright."""
    frames = np.repeat(np.arange(len(detections)), [len(found.boxes) for found in detections])
    turns = np.concatenate([_turns(found) for found in detections])
    sizes = np.array(pictures[0].shape[1::-1])
    upright = {
        (frame, turn): np.ascontiguousarray(np.rot90(pictures[frame], turn))
        for frame, turn in set(zip(frames.tolist(), turns.tolist(), strict=True))
    }
    boxes = np.concatenate([found.boxes for found in detections])
    inner_boxes = np.concatenate(
        [found.boxes if found.inner_boxes is None else found.inner_boxes for found in detections]
    )
    keypoints = np.concatenate([found.keypoints for found in detections])
    return FaceBatch(
        pictures=[upright[key] for key in zip(frames.tolist(), turns.tolist(), strict=True)],
        frames=frames,
        turns=turns,
        boxes=turned_boxes(boxes, turns, sizes).astype(np.float32),
        inner_boxes=turned_boxes(inner_boxes, turns, sizes).astype(np.float32),
        scores=np.concatenate([found.scores for found in detections]),
        keypoints=turned_points(keypoints, turns, sizes).astype(np.float32),
        origin=origin,
        width=width,
        height=height,
    )


def _turns(found: Detections) -> NDArray[np.int64]:
    return np.zeros(len(found.boxes), np.int64) if found.turns is None else found.turns
