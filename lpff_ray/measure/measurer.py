"""Frames in, measured faces out: the order of the stages, cheapest first, and what each hands to the next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lpff_ray.config import MineConfig
from lpff_ray.decode.frame_source import Frame
from lpff_ray.geometry.rotation import angles_from_matrix, blend, geodesic_degrees
from lpff_ray.geometry.transforms import crop_transform, sample
from lpff_ray.measure import appearance, image_quality, pose, pose_bins
from lpff_ray.measure.detection.blazeface import Detections, FaceDetector
from lpff_ray.measure.detection.yunet import YuNetDetector
from lpff_ray.measure.embedding import aligned_chip, arcface_chip, load_embedder
from lpff_ray.measure.hyperiqa import HyperIqaScorer
from lpff_ray.measure.landmarks import SCHEME_68, FaceMesh, Meshes
from lpff_ray.measure.pose_votes import PoseVoter, load_voter
from lpff_ray.models.cards import load_cards
from lpff_ray.models.networks.posenet import CROP_FACTOR
from lpff_ray.models.networks.posenet import INPUT as POSE_INPUT
from lpff_ray.models.runtimes import PoseModel
from lpff_ray.models.store import plugin, plugin_files
from lpff_ray.monitoring.timing import Timed

EMBEDDING_BATCH = 16
NEAR_FRONTAL = frozenset({"facemesh", "blazeface"})
"""Estimators that know faces by both eyes. Half of a profile they may take for a whole face, and two of them would
outvote PoseNet: where FaceMesh's points count for nothing, `frontal` is no answer of theirs. What else they say there
counts: towards 90 degrees PoseNet's pitch is loose, theirs is not."""


@dataclass
class Measurements(Timed):
    """Faces measured so far: a list per column of the faces table, and counts and seconds for the record.

    One per segment, so that threads share models but never results.
    """

    columns: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    frames: int = 0
    rejected: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    pending_chips: list[NDArray[np.uint8]] = field(default_factory=list)


class FaceMeasurer:
    """The models in their order. Thread-safe: all state of a segment lives in its `Measurements`."""

    def __init__(self, config: MineConfig, device: str) -> None:
        """Raises UserError if a model's file is missing or wrong, or the device is absent."""
        cards = load_cards()
        self.focal_factor = config.focal_factor
        self.detector = load_detector(config, device)
        self.mesh = FaceMesh(cards["facemesh"].path(), device)
        self.pose = PoseModel(device)
        self.voters: dict[str, PoseVoter] = {
            name: load_voter(name, plugin_files(plugin(name)), device) for name in config.pose_votes
        }
        self.embedder = load_embedder(config.embedding, device)
        self.iqa = (
            HyperIqaScorer(plugin_files(plugin("hyperiqa"))[0], device) if config.iqa == "hyperiqa" else None
        )

    def measure(
        self, frames: Sequence[Frame], into: Measurements, crop: tuple[int, int, int, int] | None = None
    ) -> None:
        """Measure every face of frames of one size and append their columns.

        crop: x0, y0, x1, y1 in pixels: only this part of the frames is looked at; coordinates stay the frame's.
        """
        pictures = [frame.rgb for frame in frames]
        height, width = pictures[0].shape[:2]
        origin = np.zeros(2)
        if crop is not None:
            x0, y0, x1, y1 = crop
            pictures = [np.ascontiguousarray(picture[y0:y1, x0:x1]) for picture in pictures]
            origin = np.array([x0, y0], np.float64)
        with into.timed("detect"):
            detections = self.detector.detect(pictures)
        into.frames += len(frames)
        into.rejected += sum(found.rejected for found in detections)
        faces, owners = _joined(detections)
        if not len(owners):
            return
        own_pictures = [pictures[index] for index in owners]
        with into.timed("pose"):
            learned = learned_pose(self.pose, own_pictures, faces.boxes)
        once = np.flatnonzero(~seen_twice(faces, owners, learned.middle))
        into.rejected += len(owners) - len(once)
        faces, owners, learned = faces.of(once), owners[once], learned.of(once)
        own_pictures = [own_pictures[index] for index in once]
        with into.timed("landmarks"):
            meshes = self.mesh(own_pictures, faces.boxes, faces.keypoints)
        with into.timed("pose"):
            focal = self.focal_factor * max(width, height)
            voted: dict[str, NDArray] = {
                name: vote(own_pictures, faces.boxes) for name, vote in self.voters.items()
            }
            five = into_pose(into, faces, meshes, learned, voted, origin, width, height, focal)
        with into.timed("quality"):
            chips = [aligned_chip(*pair) for pair in zip(own_pictures, five, strict=True)]
            before = len(into.columns.get("iqa", ()))
            into_quality(into, own_pictures, faces, chips)
            if self.iqa is not None:  # the plug-in's figure takes the place of the embedded one
                into.columns["iqa"][before:] = self.iqa(own_pictures, faces.boxes).tolist()
        if self.embedder.five_points:
            chips = [arcface_chip(*pair) for pair in zip(own_pictures, five, strict=True)]
        into.pending_chips.extend(chips)
        while len(into.pending_chips) >= EMBEDDING_BATCH:
            self._embed(into, EMBEDDING_BATCH)
        columns = into.columns
        for owner, count in enumerate(np.bincount(owners)):
            columns["frame_index"].extend([frames[owner].index] * count)
            columns["pts_ns"].extend([frames[owner].pts_ns] * count)
            columns["face_index"].extend(range(count))
        columns["frame_width"].extend([width] * len(owners))
        columns["frame_height"].extend([height] * len(owners))
        columns["bbox"].extend((faces.boxes + np.tile(origin, 2)).astype(np.float32))
        columns["det_score"].extend(faces.scores)
        columns["face_px"].extend(np.minimum(*(faces.boxes[:, 2:] - faces.boxes[:, :2]).T))

    def finish(self, into: Measurements) -> None:
        """Embed what is left over from the last full batch."""
        if into.pending_chips:
            self._embed(into, len(into.pending_chips))

    def _embed(self, into: Measurements, count: int) -> None:
        with into.timed("embed"):
            into.columns["embedding"].extend(self.embedder.model(np.stack(into.pending_chips[:count])))
        del into.pending_chips[:count]


def load_detector(config: MineConfig, device: str) -> FaceDetector:
    """The detector that a configuration names. Raises UserError if a model's file is missing, wrong or unusable."""
    cards = load_cards()
    embedded = (cards["blazeface-short"].path(), cards["dlib-mmod"].path())
    gates = (config.min_face_px, config.min_det_score)
    if config.detector == "yunet":
        return YuNetDetector(plugin_files(plugin("yunet"))[0], *embedded, device, *gates)
    return FaceDetector(*embedded, device, *gates)


def into_pose(
    into: Measurements,
    faces: Detections,
    meshes: Meshes,
    learned: pose.Learned,
    voted: Mapping[str, NDArray],
    origin: NDArray,
    width: int,
    height: int,
    focal: float,
) -> NDArray[np.float64]:
    """Fuse the embedded estimators and append pose, landmarks and keypoints, in pixels of the whole frame.

    learned: PoseNet's answers. voted: those of plug-ins by name, which are kept beside the others.
    Returns the keypoints [n, 5, 2] in pixels of what was looked at: the whole frame less `origin`.
    """
    mesh_fit, keypoint_fit = (
        pose.fit_mesh(meshes.points),
        pose.fit_keypoints(faces.keypoints.astype(np.float64)),
    )
    rotations = {
        "posenet": learned.rotation,
        "facemesh": pose.turned_outwards(mesh_fit.rotation, meshes.presence),
        "blazeface": keypoint_fit.rotation,
        **voted,
    }
    votes = {name: angles_from_matrix(estimated) for name, estimated in rotations.items()}
    share = pose.mesh_share(votes["posenet"][:, 0], meshes.presence)
    trust = pose.mesh_weight(votes["posenet"][:, 0], meshes.presence)
    rotation = blend(learned.rotation, rotations["facemesh"], share)
    laid = pose.place(rotation, learned)
    scale = laid.scale ** (1 - trust) * np.maximum(mesh_fit.scale, 1e-6) ** trust
    centre = laid.centre + (mesh_fit.centre - laid.centre) * trust[:, None] + origin
    rotvec, translation = pose.to_camera(rotation, scale, centre, width, height, focal)
    angles = angles_from_matrix(rotation)
    modelled = pose.posed_mesh(laid, meshes.points[..., 2].mean(1))
    points = modelled + (meshes.points - modelled) * trust[:, None, None]
    landmarks = points[:, SCHEME_68] + np.append(origin, 0.0)
    five = pose.five_points(points)[..., :2]
    columns = into.columns
    columns["landmarks"].extend(landmarks.astype(np.float32))
    columns["keypoints"].extend((five + origin).astype(np.float32))
    columns["rotvec"].extend(rotvec.astype(np.float32))
    columns["translation"].extend(translation.astype(np.float32))
    for index, name in enumerate(("yaw", "pitch", "roll")):
        columns[name].extend(angles[:, index].astype(np.float32))
    columns["pose_spread"].extend(spread(list(rotations.values())))
    into_bins(columns, votes, blind=np.abs(votes["posenet"][:, 0]) >= pose.POINTS_FADE[1])
    return five


def into_bins(columns: dict[str, list[Any]], votes: Mapping[str, NDArray], blind: NDArray[np.bool_]) -> None:
    """Append every estimator's angles, and EFHQ's bins by vote.

    votes: yaw, pitch, roll in degrees [n, 3] by estimator. blind [n]: for these faces `frontal` is no answer of
    NEAR_FRONTAL's, and how far they think them turned counts for no fine bin.
    """
    for number in range(len(blind)):
        ballot = {name: angles[number] for name, angles in votes.items()}
        columns["pose_votes"].append(
            [
                {"estimator": name, **dict(zip(("yaw", "pitch", "roll"), angles.tolist(), strict=True))}
                for name, angles in ballot.items()
            ]
        )
        named = {name: pose_bins.bin_of(yaw, pitch) for name, (yaw, pitch, _) in ballot.items()}
        unable = NEAR_FRONTAL if blind[number] else frozenset()
        counted = [name for estimator, name in named.items() if estimator not in unable or name != "frontal"]
        soft = pose_bins.soft_bin(counted)
        seen = np.array([angles[:2] for estimator, angles in ballot.items() if estimator not in unable])
        columns["pose_bin"].append(soft)
        columns["pose_bin_strict"].append(pose_bins.hard_bin(counted))
        columns["pose_bin_fine"].append(pose_bins.fine_bin(soft, seen))


def learned_pose(network: PoseModel, pictures: Sequence[NDArray[np.uint8]], boxes: NDArray) -> pose.Learned:
    """What PoseNet says of the faces in boxes [n, 4]; pictures: RGB [h, w, 3], one entry per face."""
    boxes = boxes.astype(np.float64)
    centres, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(1) * CROP_FACTOR
    crops = [
        sample(picture, crop_transform(centre, side, 0.0, POSE_INPUT), POSE_INPUT)
        for picture, centre, side in zip(pictures, centres, sides, strict=True)
    ]
    rotation, _, places = (answer.astype(np.float64) for answer in network(np.stack(crops)))
    return pose.Learned(rotation, np.exp(places[:, 2]) * sides / 10, centres + places[:, :2] * sides[:, None])


def spread(rotations: Sequence[NDArray]) -> NDArray[np.float64]:
    """Mean geodesic distance in degrees [n] over all pairs of several estimators' rotations [n, 3, 3]."""
    return np.mean([geodesic_degrees(a, b) for a, b in combinations(rotations, 2)], axis=0)


def into_quality(
    into: Measurements,
    pictures: Sequence[NDArray[np.uint8]],
    faces: Detections,
    chips: Sequence[NDArray[np.uint8]],
) -> None:
    """Append sharpness, image quality, brightness and the perceptual hash."""
    columns = into.columns
    for picture, box, chip in zip(pictures, faces.boxes.astype(np.float64), chips, strict=True):
        judged = image_quality.quality(picture, box)
        columns["sharpness"].append(judged.sharpness)
        columns["iqa"].append(judged.iqa)
        columns["brightness"].append(appearance.brightness(picture, box))
        columns["phash"].append(appearance.perceptual_hash(chip))


def seen_twice(faces: Detections, owners: NDArray[np.int64], middles: NDArray) -> NDArray[np.bool_]:
    """Which faces [n] are a second look at a better one of their frame: PoseNet puts their middle into its box.

    owners [n]: which frame each is of; middles [n, 2]: `pose.Learned`'s. Where a face is large in its frame, a finer
    pass of the detector takes forehead and eyes, or half of the face and what is beside it, for a face as well (scores
    up to 0.86; in every third frame of clips that were enlarged until faces had 500 pixels). Such boxes overlap the
    true one no more than those of two people cheek to cheek do, but PoseNet sees through them where the face is.
    """
    twice = np.zeros(len(owners), bool)
    order = np.argsort(-faces.scores, kind="stable")
    for rank, face in enumerate(order):
        better = order[:rank]
        boxes = faces.boxes[better[(owners[better] == owners[face]) & ~twice[better]]]
        twice[face] = ((middles[face] > boxes[:, :2]) & (middles[face] < boxes[:, 2:])).all(1).any()
    return twice


def _joined(detections: Sequence[Detections]) -> tuple[Detections, NDArray[np.int64]]:
    """The faces of all frames, and which frame each is of."""
    joined = Detections(
        boxes=np.concatenate([found.boxes for found in detections]),
        scores=np.concatenate([found.scores for found in detections]),
        keypoints=np.concatenate([found.keypoints for found in detections]),
    )
    return joined, np.repeat(np.arange(len(detections)), [len(found.boxes) for found in detections])
