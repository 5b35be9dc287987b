"""`lpff-ray evaluate identity FOLDER`: what distances of an embedding mean, on photos of people whose names are known.

The thresholds of `dedupe` were measured for the embedding that ships with the package. For another network, or other
people, they are measured here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lpff_ray.config import MineConfig
from lpff_ray.curate.identity.average_linkage import average_linkage
from lpff_ray.errors import UserError
from lpff_ray.exports.evaluation.roc import roc
from lpff_ray.monitoring.progress import Phase
from lpff_ray.run.analyze import Analyzer

PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
BATCH = 32
FAR = 1e-4
"""Share of the pairs of two people that may be nearer than the suggested `identity_distance`: in a collection of many
people each face meets many strangers."""
STEPS = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2)
"""Distances of the table, over the suggested one."""


def evaluate_identity(folder: str, embedding: str, device: str = "auto") -> dict[str, Any]:
    """How far apart photos of one person and of two are, and the `identity_distance` for `dedupe` that follows.

    folder: local, with a folder of photos for each person; in every photo the face nearest to the middle counts.
    embedding: as the setting of `mine`. device: "auto" (the GPU if torch sees one), "cpu", "cuda" or "cuda:N".

    Returns counts, `auc`, `identity_distance` (the distance than which a share of FAR of the pairs of two people is
    nearer; `false_accepts_measured` is the smallest share that so many pairs can show), and `steps`: for distances
    around it the shares of pairs that `dedupe` would join, of one person (`same`) and of two (`different`).
    Raises UserError if there are no two people, no person with two photos, or the model's file is missing or wrong.
    """
    photos, people = _labelled(Path(folder))
    vectors, owners, faceless = _embedded(photos, people, embedding, device)
    first, second = np.triu_indices(len(owners), 1)
    same = owners[first] == owners[second]
    if not same.any() or same.all():
        raise UserError(
            f"{folder}: faces in {len(owners)} of {len(photos)} photos; it takes two people, and two photos of one"
        )
    distances = np.sqrt(np.maximum(0, 2 - 2 * (vectors @ vectors.T)[first, second]))
    others = np.sort(distances[~same])
    suggested = float(others[min(int(FAR * len(others)), len(others) - 1)])
    steps = []
    for step in STEPS:
        label = average_linkage(vectors, np.zeros(len(owners)), np.empty((0, 2), np.int64), step * suggested)
        joined = label[first] == label[second]
        steps.append(
            {
                "distance": round(step * suggested, 3),
                "identities": len(np.unique(label)),
                "same": float(joined[same].mean()),
                "different": float(joined[~same].mean()),
            }
        )
    return {
        "embedding": embedding,
        "people": len(np.unique(owners)),
        "photos": len(photos),
        "without_a_face": faceless,
        "same_pairs": int(same.sum()),
        "different_pairs": len(others),
        "auc": roc(-distances, same).auc(),
        "identity_distance": round(suggested, 3),
        "false_accepts_measured": max(FAR, 1 / len(others)),
        "steps": steps,
    }


def _labelled(folder: Path) -> tuple[list[Path], list[str]]:
    """Photos, and whose each is, in the order of their names."""
    if not folder.is_dir():
        raise UserError(
            f"{folder}: not a local folder; give one that holds a folder of photos for each person"
        )
    photos = sorted(path for path in folder.glob("*/*") if path.suffix.lower() in PHOTOS)
    if not photos:
        raise UserError(f"{folder}: no PERSON/PHOTO.jpg in it; give a folder of photos for each person")
    return photos, [path.parent.name for path in photos]


def _embedded(
    photos: Sequence[Path], people: Sequence[str], embedding: str, device: str
) -> tuple[NDArray[np.float32], NDArray[np.str_], int]:
    """Embeddings [n, d] and whose they are [n], of the photos with a face; how many have none."""
    analyzer = Analyzer(MineConfig(embedding=embedding, min_face_px=32), device)
    vectors, owners = [], []
    with Phase("embedding", len(photos), "photos") as phase:
        for start in range(0, len(photos), BATCH):
            batch = photos[start : start + BATCH]
            table = analyzer([str(path) for path in batch])
            for number, face in middle_faces(table).iter_rows():
                vectors.append(np.asarray(face, np.float32))
                owners.append(people[start + number])
            phase.advance(len(batch))
    return np.array(vectors).reshape(len(owners), -1), np.array(owners), len(photos) - len(owners)


def middle_faces(table: pl.DataFrame) -> pl.DataFrame:
    """frame_index and embedding of the face of each picture that is nearest to its middle."""
    away = sum(
        ((pl.col("bbox").arr.get(low) + pl.col("bbox").arr.get(low + 2)) / 2 - pl.col(side) / 2) ** 2
        for low, side in ((0, "frame_width"), (1, "frame_height"))
    )
    nearest = table.sort(away).unique("frame_index", keep="first", maintain_order=True)
    return nearest.select("frame_index", "embedding").sort("frame_index")
