"""`python -m benchmarks.speed.precision --data ../shared/data`: what bfloat16 saves, and how much it moves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import patch

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from lpff_ray.config import MineConfig
from lpff_ray.decode import open_source
from lpff_ray.geometry.rotation import angles_from_matrix
from lpff_ray.geometry.transforms import iou
from lpff_ray.measure.detection.centerface import CANDIDATE_SCORE, SECOND_PASS_INPUT, SECOND_PASS_SCORE
from lpff_ray.measure.detection.centerface_rows import decode, mean_row, non_maximum_suppression
from lpff_ray.measure.measurer import FaceMeasurer, Measurements
from lpff_ray.models.batches import CPU_CROPS_PER_BATCH, CPU_FACES_PER_BATCH
from lpff_ray.models.cards import load_cards
from lpff_ray.models.fully_convolutional import FullyConvolutional
from lpff_ray.models.networks.dlib_resnet import DlibResNet
from lpff_ray.models.networks.posenet import openvino_posenet, read_posenet, unpacked
from lpff_ray.models.openvino_network import OpenVinoNetwork
from lpff_ray.models.precision import Precision
from lpff_ray.models.runtimes import EmbeddingModel, PoseModel

REPEATS = 12
FRAMES_PER_CLIP = 12
SHARES = (50, 99, 100)  # percentiles that are printed


def main(
    data: Annotated[Path, typer.Option(help="The shared data folder.")],
) -> None:
    """Print a table: each network in float32 and in bfloat16, its time on one thread and what moves."""
    cv2.setNumThreads(1)
    inputs = collected(data / "videos")
    print(
        "| network | float32, ms | bfloat16, ms | moved by bfloat16: median, 99%, most |\n|---|---|---|---|"
    )
    for name, (times, moved) in {
        "identity, per chip": embedding(inputs["chips"]),
        "PoseNet, per crop": pose(inputs["pose"]),
        "CenterFace, per crop of 128": second_pass(inputs["second"]),
        "CenterFace, per frame": first_pass(inputs["first"]),
    }.items():
        print(f"| {name} | {times[0]:.2f} | {times[1]:.2f} | {moved} |")


def collected(folder: Path) -> dict[str, list[NDArray[np.uint8]]]:
    """What each network is given while frames of all clips are measured."""
    seen: dict[str, list[NDArray[np.uint8]]] = {"chips": [], "pose": [], "second": [], "first": []}

    def noted(original: Callable[..., Any], name: Callable[[NDArray], str]) -> Callable[..., Any]:
        def call(self: Any, batch: NDArray[np.uint8]) -> Any:
            seen[name(batch)].extend(batch)
            return original(self, batch)

        return call

    def which_pass(batch: NDArray) -> str:
        return "second" if batch.shape[1:3] == (SECOND_PASS_INPUT, SECOND_PASS_INPUT) else "first"

    with (
        patch.object(EmbeddingModel, "__call__", noted(EmbeddingModel.__call__, lambda _: "chips")),
        patch.object(PoseModel, "__call__", noted(PoseModel.__call__, lambda _: "pose")),
        patch.object(FullyConvolutional, "__call__", noted(FullyConvolutional.__call__, which_pass)),
    ):
        measurer = FaceMeasurer(MineConfig(precision="exact"), "cpu")
        for clip in sorted(path for path in folder.iterdir() if path.suffix in (".mp4", ".mov")):
            with open_source(str(clip), "video", "auto") as source:
                indices = np.linspace(0, len(source.table) - 1, FRAMES_PER_CLIP).astype(int).tolist()
                taken = Measurements()
                for frame in source.frames(sorted(set(indices))):
                    measurer.measure([frame], taken)
                measurer.finish(taken)
    return seen


def embedding(chips: list[NDArray[np.uint8]]) -> tuple[tuple[float, float], str]:
    """Cosines between float32 and bfloat16."""
    network = DlibResNet(load_cards()["dlib-resnet"].path())
    exact, fast = both(network.openvino_model(CPU_FACES_PER_BATCH))
    batches = list(whole(chips, CPU_FACES_PER_BATCH))
    a, b = (unit(np.concatenate([run(batch)[0] for batch in batches])) for run in (exact, fast))
    cosine = 1 - (a * b).sum(1)
    moved = ", ".join(f"{value:.5f}" for value in np.percentile(cosine, SHARES))
    return timed(exact, fast, batches[0], CPU_FACES_PER_BATCH), f"1 - cosine {moved}"


def pose(crops: list[NDArray[np.uint8]]) -> tuple[tuple[float, float], str]:
    """Yaw, in degrees."""
    exact, fast = both(openvino_posenet(read_posenet(), CPU_CROPS_PER_BATCH))
    batches = list(whole(crops, CPU_CROPS_PER_BATCH))
    yaw = [
        angles_from_matrix(unpacked(np.concatenate([run(batch)[0] for batch in batches]))[0].astype(float))[
            :, 0
        ]
        for run in (exact, fast)
    ]
    moved = ", ".join(f"{value:.2f}" for value in np.percentile(np.abs(yaw[0] - yaw[1]), SHARES))
    return timed(exact, fast, batches[0], CPU_CROPS_PER_BATCH), f"yaw {moved} degrees"


def second_pass(crops: list[NDArray[np.uint8]]) -> tuple[tuple[float, float], str]:
    """The box of the face in the middle, in percent of its side, and its score."""
    networks = centerfaces()
    middle = SECOND_PASS_INPUT * np.array([0.25, 0.25, 0.75, 0.75])
    boxes, scores = [], []
    for crop in crops:
        found = []
        for network in networks:
            rows = decode(*(output[0] for output in network(crop[None])), SECOND_PASS_SCORE)
            rows = rows[iou(middle, rows) > 0.3]
            found.append(mean_row(rows) if len(rows) else np.zeros(15))
        if min(found[0][14], found[1][14]) > 0.3:
            side = (found[0][2:4] - found[0][:2]).max()
            boxes.append(100 * np.abs(found[0][:4] - found[1][:4]).max() / side)
            scores.append(abs(found[0][14] - found[1][14]))
    moved = ", ".join(f"{value:.2f}" for value in np.percentile(boxes, SHARES))
    score = ", ".join(f"{value:.3f}" for value in np.percentile(scores, SHARES))
    return timed(*networks, crops[0][None], 1), f"box {moved}% of its side; score {score}"


def first_pass(pictures: list[NDArray[np.uint8]]) -> tuple[tuple[float, float], str]:
    """How many candidates there are in one precision only, the other one's limit eased by a fifth."""
    networks = centerfaces()
    counts = np.zeros(3, int)
    for picture in pictures:
        raw = [[output[0] for output in network(picture[None])] for network in networks]
        sure = [non_maximum_suppression(decode(*one, CANDIDATE_SCORE)) for one in raw]
        eased = [non_maximum_suppression(decode(*one, 0.8 * CANDIDATE_SCORE)) for one in raw]
        counts += [len(sure[0]), unmatched(sure[0], eased[1]), unmatched(sure[1], eased[0])]
    largest = max(pictures, key=lambda picture: picture.size)[None]
    return timed(*networks, largest, 1), (
        f"of {counts[0]} candidates {counts[1]} lost, {counts[2]} new; times: {largest.shape[2]} x {largest.shape[1]}"
    )


def unmatched(rows: NDArray, others: NDArray) -> int:
    """How many rows have no other row at the same place."""
    return sum(not (iou(row[:4], others) > 0.5).any() for row in rows)


def both(model: Any) -> tuple[OpenVinoNetwork, OpenVinoNetwork]:
    """A network in float32 and in bfloat16."""
    return OpenVinoNetwork(model, Precision.EXACT), OpenVinoNetwork(model, Precision.FAST)


def centerfaces() -> tuple[FullyConvolutional, FullyConvolutional]:
    """CenterFace in float32 and in bfloat16."""
    path = load_cards()["centerface"].path()
    return FullyConvolutional(path, "cpu", Precision.EXACT), FullyConvolutional(path, "cpu", Precision.FAST)


def whole(crops: list[NDArray[np.uint8]], size: int) -> Iterator[NDArray[np.uint8]]:
    """Batches of `size`; the rest is left out."""
    for start in range(0, len(crops) - size + 1, size):
        yield np.stack(crops[start : start + size])


def timed(exact: Callable, fast: Callable, batch: NDArray, count: int) -> tuple[float, float]:
    """Milliseconds of this thread's CPU time per item of a batch, the best of several alternating trials."""
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(REPEATS):
        for run, into in zip((exact, fast), spent, strict=True):
            start = time.thread_time()
            run(batch)
            into.append(time.thread_time() - start)
    return 1e3 * min(spent[0]) / count, 1e3 * min(spent[1]) / count


def unit(vectors: NDArray) -> NDArray:
    """Vectors [n, k] of length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


if __name__ == "__main__":
    typer.run(main)
