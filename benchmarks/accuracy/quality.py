"""Accuracy of `sharpness` and `iqa`.

Held-out faces are degraded by known amounts (`quality_data.LEVELS`) and measured by the product's own
`image_quality.quality`, in the box that the product's detector found before they were degraded.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from lpff_ray.measure.quality import image_quality
from lpff_ray.measure.quality import image_quality as iqa
from training.quality_data import LEVELS, Face, collect, ladder, resized

MOST = 60  # faces of one set
PLAIN_SIDE = 128  # pixels at which faces are compared by `plain_sharpness`
WINDOWS = 10  # per side of a photo
WINDOW = 160  # pixels; at full size, because a photo's blur is gone when it is made small
STRUCTURE = 15.0  # grey levels: standard deviation below which a window shows sky or wall, blurred or not
SETS = ("clips", "clips, turned small", "AFLW2000-3D", "AFLW, 0 to 91 degrees of yaw", "LFW")


def evaluate(data: Path) -> str:
    """All tables as Markdown."""
    faces = collect(data, held=True)
    chosen = sets(faces)
    answers = {name: climbed(some) for name, some in chosen.items()}
    every = np.concatenate(list(answers.values()), axis=1)
    answers["all of them"] = every
    return "\n\n".join(
        [
            correlations(answers, 0, "iqa"),
            correlations(answers, 1, "sharpness"),
            levels(every),
            halved(faces),
            photos(data),
            percentiles(faces),
            cost(faces),
        ]
    )


def measured(face: Face, box: NDArray | None = None) -> tuple[float, float]:
    """The product's iqa and sharpness."""
    found = image_quality.quality(face.window, face.box if box is None else box)
    return found.iqa, found.sharpness


def sets(faces: Sequence[Face]) -> dict[str, list[Face]]:
    """The sharper half of the unseen faces by where they are from; clips once more with faces of 100 pixels.

    Blurring a blurred face shows nothing. Which faces are sharp is decided by another measure than those under test.
    """
    sources = ("video", "video", "aflw2000", "aflw", "lfw")
    found = {}
    for name, source in zip(SETS, sources, strict=True):
        some = [face for face in faces if face.source == source]
        middle = np.median([plain_sharpness(face) for face in some])
        some = [face for face in some if plain_sharpness(face) >= middle]
        some = some[:: max(1, len(some) // MOST)][:MOST]
        found[name] = [resized(face, 100 / face.side) if name == SETS[1] else face for face in some]
    return found


def plain_sharpness(face: Face) -> float:
    """Variance of the Laplacian of the face, `PLAIN_SIDE` pixels wide, over the variance of its grey.

    Source: Pertuz et al., "Analysis of focus measure operators for shape-from-focus" (2013), LAP4.
    """
    x0, y0, x1, y1 = np.maximum(face.box, 0).astype(int)
    grey = cv2.cvtColor(face.window[y0:y1, x0:x1], cv2.COLOR_RGB2GRAY)
    factor = PLAIN_SIDE / max(grey.shape)
    grey = cv2.resize(
        grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    )
    return float(cv2.Laplacian(grey.astype(np.float32), cv2.CV_32F).var() / (grey.var() + 1))


def climbed(faces: Sequence[Face]) -> NDArray[np.float64]:
    """iqa and sharpness [kinds, faces, 6 levels, 2] at rising levels of every kind."""
    return np.array(
        [
            [[measured(copy) for copy in ladder(face, kind, seed)] for seed, face in enumerate(faces)]
            for kind in LEVELS
        ]
    )


def correlations(answers: dict[str, NDArray], index: int, name: str) -> str:
    """Spearman's correlation of a figure with falling level: within each face (mean), and over all faces at once."""
    lines = [
        f"Spearman correlation of `{name}` with the (falling) level: mean within each face / across all faces",
        "",
        "| unseen faces | n | " + " | ".join(LEVELS) + " | pooled |",
        "|" + "---|" * (len(LEVELS) + 3),
    ]
    level = -np.arange(6)
    for title, values in answers.items():
        figure = values[..., index]
        cells = [
            f"{np.mean([spearmanr(level, row)[0] for row in rows]):.3f} / "
            f"{spearmanr(np.tile(level, len(rows)), rows.ravel())[0]:.3f}"
            for rows in figure
        ]
        both = np.broadcast_to(level, figure.shape)
        inner = [spearmanr(both[:, one].ravel(), figure[:, one].ravel())[0] for one in range(figure.shape[1])]
        cells.append(f"{np.mean(inner):.3f} / {spearmanr(both.ravel(), figure.ravel())[0]:.3f}")
        lines.append(f"| {title} | {figure.shape[1]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def levels(every: NDArray[np.float64]) -> str:
    """Mean figures at each level over all faces [kinds, faces, 6 levels, 2]."""
    lines = [
        "Mean `iqa` (`sharpness`) by level, and the largest rise of `sharpness` over the untouched face",
        "",
    ]
    lines += ["| kind | 0 | 1 | 2 | 3 | 4 | 5 | rise |", "|" + "---|" * 8]
    for kind, values in zip(LEVELS, every, strict=True):
        means = " | ".join(f"{quality:.0f} ({sharp:.2f})" for quality, sharp in values.mean(0))
        rise = (values[:, 1:, 1] - values[:, :1, 1]).max()
        lines.append(f"| {kind} | {means} | {rise:+.3f} |")
    return "\n".join(lines)


def halved(faces: Sequence[Face]) -> str:
    """Change of the figures when the frame is halved, the face staying above 200 pixels."""
    lines = [
        "Change when the whole frame is halved",
        "",
        "| faces | n | mean | largest `iqa` | largest `sharpness` |",
    ]
    lines.append("|" + "---|" * 5)
    large = [face for face in faces if face.side > 400]
    clear = [face for face in faces if 200 < face.side <= 400]
    groups = {
        "over 400 pixels": large,
        "200 to 400 pixels, enlarged twofold first": [resized(face, 2.0) for face in clear],
    }
    for name, some in groups.items():
        change = np.array([np.subtract(measured(face), measured(resized(face, 0.5))) for face in some])
        worst = np.abs(change).max(0)
        lines.append(
            f"| {name} | {len(some)} | {np.abs(change[:, 0]).mean():.2f} | {worst[0]:.2f} | {worst[1]:.3f} |"
        )
    return "\n".join(lines)


def photos(data: Path) -> str:
    """The blurred and the sharp photos, which show no faces: what is sharpest in them, and their middle."""
    lines = [f"Photos over windows of {WINDOW} pixels: upper quartile (median)", ""]
    lines += ["| photo | windows | `iqa` | `sharpness` |", "|" + "---|" * 4]
    for path in sorted((data / "quality").glob("*/*")):
        photo = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        figures = [measured(Face(photo, box, "photo", path.name)) for box in windows(photo)]
        middle, upper = np.percentile(figures, (50, 75), axis=0)
        lines.append(
            f"| {path.parent.name}/{path.name} | {len(figures)} "
            f"| {upper[0]:.1f} ({middle[0]:.1f}) | {upper[1]:.2f} ({middle[1]:.2f}) |"
        )
    return "\n".join(lines)


def windows(photo: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """Boxes of the windows that show something."""
    height, width = photo.shape[:2]
    inset = int(WINDOW * 0.1) + 1
    corners = [
        (x, y)
        for y in np.linspace(inset, height - WINDOW - inset, WINDOWS).astype(int)
        for x in np.linspace(inset, width - WINDOW - inset, WINDOWS).astype(int)
    ]
    return [
        np.array([x, y, x + WINDOW, y + WINDOW], np.float64)
        for x, y in corners
        if cv2.cvtColor(photo[y : y + WINDOW, x : x + WINDOW], cv2.COLOR_RGB2GRAY).std() >= STRUCTURE
    ]


def percentiles(faces: Sequence[Face]) -> str:
    """What untouched unseen faces get."""
    lines = [
        "Untouched unseen faces",
        "",
        "| source | n | `iqa`: 10% | 50% | 90% | `sharpness`: 10% | 50% | 90% |",
    ]
    lines.append("|" + "---|" * 8)
    for source in sorted({face.source for face in faces}):
        figures = np.array([measured(face) for face in faces if face.source == source])
        cells = [f"{v:.0f}" for v in np.percentile(figures[:, 0], (10, 50, 90))]
        cells += [f"{v:.2f}" for v in np.percentile(figures[:, 1], (10, 50, 90))]
        lines.append(f"| {source} | {len(figures)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cost(faces: Sequence[Face]) -> str:
    """Milliseconds of one core for both figures: the best of seven passes."""
    lines = ["Cost", "", "| faces | ms |", "|---|---|"]
    for low, high in ((0, 100), (100, 200), (200, 320), (400, 500)):
        some = [face for face in faces if low < face.side <= high][:40]
        if some:
            passes = []
            for _ in range(7):
                start = time.process_time()
                for face in some:
                    iqa.quality(face.window, face.box)
                passes.append((time.process_time() - start) / len(some))
            lines.append(f"| {low} to {high} pixels | {min(passes) * 1e3:.2f} |")
    return "\n".join(lines)
