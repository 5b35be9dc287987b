"""`lpff-ray evaluate verification DEST`: how well an embedding does on the pair lists of a verification export."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from lpff_ray.errors import UserError
from lpff_ray.exports.evaluation.roc import FARS, Roc, roc
from lpff_ray.exports.evaluation.roc_plot import roc_png
from lpff_ray.exports.formats.verification import EMBEDDINGS, IMAGES, SIDE
from lpff_ray.exports.lists.pairs import LISTS
from lpff_ray.models import store
from lpff_ray.monitoring.progress import Phase
from lpff_ray.run.local import chosen_device
from lpff_ray.storage.folder import Folder

RUN = "run"  # the embedding that the faces were mined with
BATCH = 32
CAUTION = "people were told apart with this embedding: the figures flatter it"
NO_FIGURES = "no figures: it takes pairs of one person and of two"
EVALUATION, PLOT = "evaluation.json", "roc.png"


def evaluate(dest: str, embedding: str = RUN, device: str = "auto") -> dict[str, Any]:
    """How well an embedding tells people apart, on the pair lists of a verification export.

    Scores every pair by the cosine of its two embeddings, and commits evaluation.json and roc.png to `dest`.

    embedding: "run", the one that the faces were mined with, or the name of an optional model, which is given the crops
    on `device`: "auto" (the GPU if torch sees one), "cpu", "cuda" or "cuda:N".
    Returns what evaluation.json holds: per list the counts and, if there are pairs, `auc`, `eer` and `tar_at_far`, in
    which null stands for a rate that the list is too short to show, and `notes` on what is missing.
    Raises UserError if `dest` is no verification export, or the model's file is missing, wrong or no embedding.
    """
    folder = Folder(dest)
    lists = {name: _read_list(folder, name) for name in LISTS}
    paths = sorted({path for lines in lists.values() for line in lines for path in line[:2]})
    if embedding == RUN:
        vectors = _of_run(folder, paths)
    else:
        vectors = _of_optional_model(folder, paths, embedding, device)
    position = {path: number for number, path in enumerate(paths)}
    evaluation: dict[str, Any] = {"embedding": embedding, "similarity": "cosine"}
    evaluation |= {"caution": CAUTION if embedding == RUN else "", "lists": {}}
    curves: dict[str, Roc] = {}
    for name, lines in lists.items():
        curve = _curve(vectors, lines, position)
        people = {path.split("/", 1)[0] for line in lines for path in line[:2]}
        evaluation["lists"][name] = {
            "positives": sum(same for _, _, same in lines),
            "negatives": sum(not same for _, _, same in lines),
            "crops": len({path for line in lines for path in line[:2]}),
            "identities": len(people),
            **(_figures(curve) if curve else {"notes": [NO_FIGURES]}),
        }
        if curve:
            curves[name] = curve
    folder.commit(EVALUATION, json.dumps(evaluation, indent=2).encode() + b"\n")
    folder.commit(PLOT, roc_png(curves, f"face verification, embedding: {embedding}"))
    return evaluation


def _figures(curve: Roc) -> dict[str, Any]:
    found = {f"{far:.0e}": curve.at_far(far) for far in FARS}
    notes = [
        f"TAR at FAR {name} not shown: {curve.negatives} pairs of two people, it takes {round(1 / float(name))}"
        for name, point in found.items()
        if point is None
    ]
    points = {name: asdict(point) if point else None for name, point in found.items()}
    for point in points.values():
        if point and math.isinf(point["threshold"]):
            point["threshold"] = None  # JSON has no infinity: nothing can be accepted
    return {"auc": curve.auc(), "eer": curve.eer(), "tar_at_far": points, "notes": notes}


def _curve(
    vectors: NDArray[np.float64], lines: Sequence[tuple[str, str, bool]], position: dict[str, int]
) -> Roc | None:
    same = np.array([line[2] for line in lines], bool)
    if not same.any() or same.all():
        return None
    one, other = vectors[[position[a] for a, _, _ in lines]], vectors[[position[b] for _, b, _ in lines]]
    return roc((one * other).sum(1), same)


def _read_list(folder: Folder, name: str) -> list[tuple[str, str, bool]]:
    content = folder.read(f"{name}.txt")
    if content is None:
        raise UserError(
            f"{folder.root}: no {name}.txt here; give the --dest of lpff-ray export --format verification, finished"
        )
    lines = []
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        parts = line.split("\t")
        if len(parts) != 3 or parts[2] not in ("0", "1"):
            raise UserError(
                f"{folder.root}/{name}.txt: line {number}: not two paths and 0 or 1, with tabs between; export again"
            )
        lines.append((parts[0], parts[1], parts[2] == "1"))
    return lines


def _of_run(folder: Folder, paths: list[str]) -> NDArray[np.float64]:
    known = folder.table(EMBEDDINGS, "export again")
    if known is None:
        raise UserError(f"{folder.root}: no {EMBEDDINGS} here; export again, or give --embedding PLUG-IN")
    if not paths:
        return np.zeros((0, 1))
    table = pl.DataFrame({"path": paths}).join(known, "path", "left", maintain_order="left")
    if table["embedding"].null_count():
        missing = table.filter(pl.col("embedding").is_null())["path"][0]
        raise UserError(f"{folder.root}/{EMBEDDINGS}: holds nothing of {missing}; export again")
    return _unit_length(table["embedding"].to_numpy().astype(np.float64).reshape(len(paths), -1))


def _of_optional_model(folder: Folder, paths: list[str], name: str, device: str) -> NDArray[np.float64]:
    card = store.plugin(name)
    if card.task != "embedding" or card.width is None:
        raise UserError(
            f"--embedding {name}: its task is {card.task}; for embeddings see lpff-ray models list"
        )
    from lpff_ray.models.optional.arcface import load_arcface  # torch takes seconds

    network = load_arcface(store.plugin_files(card)[0], chosen_device(device), card.width)
    vectors = [np.zeros((0, card.width))]
    with Phase("embedding", len(paths), "crops") as phase:
        for start in range(0, len(paths), BATCH):
            batch = paths[start : start + BATCH]
            crops = [_crop(folder, path) for path in batch]
            crops += [crops[-1]] * (BATCH - len(batch))  # one shape: the same figures whatever the batch
            vectors.append(np.asarray(network(np.stack(crops)), np.float64)[: len(batch)])
            phase.advance(len(batch))
    return _unit_length(np.concatenate(vectors))


def _crop(folder: Folder, path: str) -> NDArray[np.uint8]:
    content = folder.read(f"{IMAGES}/{path}")
    if content is None:
        raise UserError(f"{folder.root}/{IMAGES}/{path}: not there; export again to complete it")
    try:
        with Image.open(io.BytesIO(content)) as image:
            pixels = np.asarray(image.convert("RGB"), np.uint8)
    except OSError:
        raise UserError(f"{folder.root}/{IMAGES}/{path}: not a readable picture; export again") from None
    if pixels.shape != (SIDE, SIDE, 3):
        raise UserError(f"{folder.root}/{IMAGES}/{path}: not {SIDE}x{SIDE} pixels; export again")
    return pixels


def _unit_length(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
