"""The least time that a set needs: decoding, and each network once for what it is needed for. All else is overhead."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from lpff_ray.config import MineConfig
from lpff_ray.decode import open_source
from lpff_ray.measure.detection.centerface import SECOND_PASS_INPUT, first_passes
from lpff_ray.measure.detection.pictures import padded, reduced
from lpff_ray.measure.identity.chips import CHIP
from lpff_ray.measure.measurer import FaceMeasurer, Measurements
from lpff_ray.models.batches import CPU_CROPS_PER_BATCH, CPU_FACES_PER_BATCH
from lpff_ray.models.cards import load_cards
from lpff_ray.models.fully_convolutional import FullyConvolutional
from lpff_ray.models.networks.posenet import INPUT as POSE_INPUT
from lpff_ray.models.precision import Precision, precision
from lpff_ray.models.runtimes import EmbeddingModel, PoseModel, TfliteModel

REPEATS = 7


@dataclass(frozen=True)
class Roofline:
    """Milliseconds of one thread per frame looked at: decoding, networks, and what mining took, without its start."""

    decode: float
    networks: float
    mine: float

    @property
    def share(self) -> float:
        """Of the roofline's rate that mining reaches."""
        return (self.decode + self.networks) / self.mine


def roofline(clips: list[str], every: int) -> tuple[int, Roofline]:
    """Frames of the clips, and the roofline beside mining on one thread, by CPU time, in this process."""
    cv2.setNumThreads(1)
    with precision(Precision(MineConfig().precision)):
        cost = network_costs()
    measurer = FaceMeasurer(MineConfig(), "cpu")
    measurer.check()
    frames = looked = 0
    decode = networks = mine = 0.0
    for clip in clips:
        start = time.thread_time()
        with open_source(clip, "video", "pyav") as source:
            wanted = list(range(0, len(source.table), every))
            frames += len(source.table)
            sizes = [frame.rgb.shape[:2] for frame in source.frames(wanted)]
        decode += time.thread_time() - start
        looked += len(sizes)
        networks += sum(cost.frame(size) for size in sizes)
        taken = Measurements()
        start = time.thread_time()
        with open_source(clip, "video", "pyav") as source:
            batch = []
            for frame in source.frames(wanted):
                batch.append(frame)
                if len(batch) == 8:
                    measurer.measure(batch, taken)
                    batch = []
            if batch:
                measurer.measure(batch, taken)
            measurer.finish(taken)
        mine += time.thread_time() - start
        networks += len(taken.columns["frame_index"]) * cost.face
    return frames, Roofline(*(1e3 * seconds / max(looked, 1) for seconds in (decode, networks, mine)))


class NetworkCosts:
    """Seconds of one thread: `face`, all networks of a face, each once; `frame`, detection over a frame."""

    def __init__(self, face: float, detector: FullyConvolutional) -> None:
        self.face = face
        self._detector = detector
        self._of_size: dict[tuple[int, ...], float] = {}

    def frame(self, size: tuple[int, ...]) -> float:
        """size: height, width."""
        if size not in self._of_size:
            picture = np.zeros((*size, 3), np.uint8)
            passes = first_passes(*size, MineConfig().min_face_px)
            inputs = [padded([reduced(picture, picture, one.scale)]) for one in passes]
            self._of_size[size] = sum(seconds(lambda one=one: self._detector(one)) for one in inputs)
        return self._of_size[size]


def network_costs() -> NetworkCosts:
    """Measured now, on pictures of noise."""
    cards, noise = load_cards(), np.random.default_rng(0).integers(0, 256, (8, 192, 192, 3), np.uint8)
    detector = FullyConvolutional(cards["centerface"].path(), "cpu")
    second = FullyConvolutional(cards["centerface"].path(), "cpu", Precision.EXACT)
    pose, embedding, mesh = (
        PoseModel(),
        EmbeddingModel(cards["dlib-resnet"].path()),
        TfliteModel(cards["facemesh"].path()),
    )
    of_batches: list[tuple[Callable[[Any], Any], Any]] = [
        (second, noise[:1, :SECOND_PASS_INPUT, :SECOND_PASS_INPUT]),
        (pose, noise[:CPU_CROPS_PER_BATCH, :POSE_INPUT, :POSE_INPUT]),
        (embedding, noise[:CPU_FACES_PER_BATCH, :CHIP, :CHIP]),
        (mesh, noise[:1].astype(np.float32) / 255),
    ]
    face = sum(seconds(lambda run=run, batch=batch: run(batch)) / len(batch) for run, batch in of_batches)
    return NetworkCosts(face, detector)


def seconds(work: Callable[[], Any]) -> float:
    """CPU time of this thread, the median of several trials after a first."""
    work()
    spent = []
    for _ in range(REPEATS):
        start = time.thread_time()
        work()
        spent.append(time.thread_time() - start)
    return float(np.median(spent))
