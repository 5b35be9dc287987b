"""Accuracy of the product's head pose, frontal to profile.

Every figure comes out of `FaceMeasurer`, which is what `lpff-ray mine` runs: the fused pose from its yaw, pitch and
roll, each estimator's from its `pose_votes`. Scored are only faces that nothing was trained on (`pose_data.held_out`).
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.decode.frame_source import Frame
from lpff_ray.geometry.rotation import angles_from_matrix, geodesic_degrees, matrix_from_angles
from lpff_ray.geometry.transforms import iou
from lpff_ray.measure.measurer import FaceMeasurer, Measurements
from lpff_ray.measure.pose.learned import from_boxes
from training import pose_data, pose_labels
from training.render import HeadScan

matplotlib.use("Agg")

from matplotlib import pyplot

BINS = ((0, 30), (30, 60), (60, 75), (75, 91))
RENDERS = 400
RENDER_SEED = 2  # training uses 1
DISPLACEMENT = 0.12
SAME_FACE = 0.3  # IoU of a row's box with the one that a labelled face was found by
PLAIN_YAWS, PLAIN_PITCHES = (0, 15, 30, 45, 60, 70, 80, 90), (-15, 0, 15)
BEFORE = "facemesh as it is"
DRAWN = {BEFORE: "before: FaceMesh alone", "fused": "after: yaw of the table"}
HEAD = (
    "Degrees, mean absolute (bias, positive towards profile) by |yaw|. `facemesh as it is` is what there was before "
    "PoseNet. `posenet, displaced box` is PoseNet on one crop, in boxes that were moved by 12% of their side (standard "
    "deviation) on either axis and resized by 12%, as detectors' boxes are where hair hides half of a face."
)
SETS = {
    "aflw2000": "AFLW2000-3D, 16 images, its own labels",
    "scan": "head scan, unseen renders, exact",
    "aflw": "AFLW crops held out, consensus of the teachers",
    "video": "clips held out, consensus of the teachers",
}


def evaluate(data: Path, plot: Path) -> str:
    """Measure the held-out faces, draw error against yaw into `plot`, and return the tables as Markdown."""
    answers, truths, labels = measured(data)
    parts = []
    for source, title in SETS.items():
        if source in truths:
            parts.append(table(title, truths[source], answers[source]))
    parts.append(plain_table(data))
    parts.append(label_table(np.array(labels["aflw"]), answers["aflw"]["fused"]))
    draw(plot, truths, answers)
    return "\n\n".join([HEAD, *parts]) + f"\n\n![yaw error against yaw]({plot.name})\n"


def measured(data: Path) -> tuple[dict, dict, dict]:
    """By set: every estimator's rotations [n, 3, 3], the true rotations [n, 3, 3], the sets' own yaw labels [n]."""
    answers: dict = defaultdict(lambda: defaultdict(list))
    truths, labels = defaultdict(list), defaultdict(list)
    product = FaceMeasurer(MineConfig(min_face_px=20, min_det_score=0.3), "cpu")
    estimators = pose_data.teachers(data)
    for face in pose_data.faces(data, product.detector, RENDERS, RENDER_SEED, pose_data.held_out):
        if face.source not in SETS:
            continue
        votes = estimates(product, face)
        if votes is None:
            continue
        known = np.isfinite(face.exact).all()
        teachers = pose_data.label(face, estimators)
        agreed = pose_labels.consensus(teachers[None])[0]
        votes[BEFORE] = teachers[2]
        truths[face.source].append(face.exact if known else agreed)
        labels[face.source].append(face.yaw)
        for name, rotation in votes.items():
            answers[face.source][name].append(rotation)
    return (
        {source: {name: np.array(r) for name, r in named.items()} for source, named in answers.items()},
        {source: np.array(r) for source, r in truths.items()},
        labels,
    )


def estimates(product: FaceMeasurer, face: pose_data.Face) -> dict[str, NDArray[np.float64]] | None:
    """Rotations [3, 3] by estimator, and "fused", of the product's face that overlaps this one most, if any does."""
    columns = Measurements()
    product.measure([Frame(0, 0, face.picture)], columns)
    rows = columns.columns
    if not len(rows["bbox"]):
        return None
    overlaps = iou(face.box.astype(float), np.array(rows["bbox"], float))
    best = int(np.argmax(overlaps))
    if overlaps[best] < SAME_FACE:
        return None
    fused = [np.array(rows[name][best]) for name in ("yaw", "pitch", "roll")]
    named = {"fused": matrix_from_angles(*fused)}
    for vote in rows["pose_votes"][best]:
        named[vote["estimator"]] = matrix_from_angles(*(np.array(vote[k]) for k in ("yaw", "pitch", "roll")))
    displaced = from_boxes(product.pose, [face.picture], displaced_box(face)[None])
    return named | {"posenet, displaced box": displaced.rotation[0]}


def displaced_box(face: pose_data.Face) -> NDArray[np.float64]:
    """The face's box [4] moved and resized at random, always the same way."""
    rng = np.random.default_rng(zlib.crc32(face.name.encode()))
    centre, half = (face.box[:2] + face.box[2:]) / 2, (face.box[2:] - face.box[:2]) / 2
    centre, half = (
        centre + rng.normal(0, DISPLACEMENT, 2) * half * 2,
        half * np.exp(rng.normal(0, DISPLACEMENT)),
    )
    return np.concatenate([centre - half, centre + half])


def table(title: str, truth: NDArray, answers: dict[str, NDArray]) -> str:
    """Errors in degrees by |yaw|: yaw as mean absolute error (bias towards profile), mean of three angles, geodesic."""
    wanted = angles_from_matrix(truth)
    lines = [f"**{title}** ({len(truth)} faces)", ""]
    lines += ["| estimator | " + " | ".join(f"{a}-{b}" for a, b in BINS) + " | mean of 3, < 60 | geodesic |"]
    lines += ["|---" * (len(BINS) + 3) + "|"]
    for name, rotations in answers.items():
        off = angles_from_matrix(rotations) - wanted
        cells = []
        for low, high in BINS:
            here = (np.abs(wanted[:, 0]) >= low) & (np.abs(wanted[:, 0]) < high)
            outwards = off[here, 0] * np.sign(wanted[here, 0])
            cells.append(f"{np.abs(outwards).mean():.1f} ({outwards.mean():+.1f})" if here.any() else "")
        frontal = np.abs(wanted[:, 0]) < 60
        cells += [f"{np.abs(off[frontal]).mean():.2f}", f"{geodesic_degrees(rotations, truth).mean():.1f}"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plain_table(data: Path) -> str:
    """The table's yaw on renders of the head scan as it is, evenly lit, at known angles."""
    rng, scan = np.random.default_rng(0), HeadScan(data / "mesh")
    cells = []
    for yaw in PLAIN_YAWS:
        angles = [(side * yaw, pitch) for side in (1, -1) for pitch in PLAIN_PITCHES]
        pictures = []
        for turned, raised in angles:
            noise = rng.integers(60, 200, (400, 400, 3), dtype=np.uint8)
            rotation = matrix_from_angles(*(np.array(float(angle)) for angle in (turned, raised, 0)))
            picture = scan.render(rotation, cv2.GaussianBlur(noise, (0, 0), 12), rng, vary=False)
            pictures.append(cv2.GaussianBlur(picture, (0, 0), 0.8))
        found = lpff_ray.analyze(pictures).sort("det_score").unique("frame_index", keep="last")
        off = [
            (row["yaw"] - angles[row["frame_index"]][0]) * (np.sign(angles[row["frame_index"]][0]) or 1)
            for row in found.iter_rows(named=True)
        ]
        cells.append(f"{np.abs(off).mean():.1f} ({np.mean(off):+.1f}), {len(off)}")
    head = f"| yaw | {' | '.join(map(str, PLAIN_YAWS))} |\n" + "|---" * (len(PLAIN_YAWS) + 1) + "|\n"
    return (
        f"**head scan as it is, exact** (of {len(angles)} renders each, at pitch {', '.join(map(str, PLAIN_PITCHES))}: "
        f"error, bias, found)\n\n{head}| fused | {' | '.join(cells)} |"
    )


def label_table(label: NDArray, rotations: NDArray) -> str:
    """Residual to AFLW's own yaw labels after the best monotone mapping (pool-adjacent-violators on half the faces)."""
    yaw, size = angles_from_matrix(rotations)[:, 0] * np.sign(label), np.abs(label)
    fitted = np.arange(len(size)) % 2 == 0
    mapped = monotone(size[fitted], yaw[fitted], size[~fitted])
    cells = []
    for low, high in BINS:
        here = (size[~fitted] >= low) & (size[~fitted] < high)
        cells.append(f"{np.abs(yaw[~fitted] - mapped)[here].mean():.1f}")
    head = "| |" + " | ".join(f"{a}-{b}" for a, b in BINS) + " |\n" + "|---" * (len(BINS) + 1) + "|\n"
    return (
        "**AFLW's own yaw labels, mapped monotonically** (fused)\n\n"
        + head
        + "| residual | "
        + " | ".join(cells)
        + " |"
    )


def monotone(x: NDArray, y: NDArray, at: NDArray) -> NDArray[np.float64]:
    """The least-squares non-decreasing function of x that fits y, read at `at` (pool adjacent violators)."""
    order = np.argsort(x)
    blocks: list[list[float]] = []
    for value in y[order]:
        blocks.append([float(value), 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            value, count = blocks.pop()
            before, earlier = blocks[-1]
            blocks[-1] = [(value * count + before * earlier) / (count + earlier), count + earlier]
    fit = np.concatenate([np.full(int(count), value) for value, count in blocks])
    return np.interp(at, x[order], fit)


def draw(path: Path, truths: dict[str, NDArray], answers: dict[str, dict[str, NDArray]]) -> None:
    """Yaw error against yaw for every set, before and after."""
    figure, axes = pyplot.subplots(1, len(truths), figsize=(5 * len(truths), 4), squeeze=False)
    for axis, (source, truth) in zip(axes[0], truths.items(), strict=True):
        yaw = angles_from_matrix(truth)[:, 0]
        for name, title in DRAWN.items():
            error = angles_from_matrix(answers[source][name])[:, 0] - yaw
            axis.plot(yaw, error, ".", ms=4, alpha=0.6, label=title)
        axis.axhline(0, color="black", lw=0.5)
        axis.set(title=SETS[source], xlabel="yaw, degrees", ylabel="error, degrees", ylim=(-40, 40))
        axis.legend(loc="upper right", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
