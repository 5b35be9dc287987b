"""`lpff-ray evaluate verification DEST`: how well an embedding does on the pair lists of a verification export."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from lpff_ray.errors import UserError
from lpff_ray.exports.evaluation.folds import efhq_figures
from lpff_ray.exports.evaluation.roc import FARS, Roc, roc
from lpff_ray.exports.evaluation.roc_plot import roc_png
from lpff_ray.exports.formats.verification import EMBEDDINGS, IMAGES, SIDE
from lpff_ray.exports.lists.pairs import LISTS
from lpff_ray.models import store
from lpff_ray.monitoring.progress import Phase
from lpff_ray.run.local import chosen_device
from lpff_ray.storage.failures import explain
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.opening import opened
from lpff_ray.storage.uri import absolute

RUN = "run"  # the embedding that the faces were mined with
BATCH = 32
CAUTION = "people were told apart with this embedding: the figures flatter it"
NO_FIGURES = "no figures: it takes pairs of one person and of two"
CLEAN = "the run's faces were embedded before they were degraded: the figures flatter it"
EVALUATION, PLOT = "evaluation.json", "roc.png"
ROC, EFHQ = "roc", "efhq"
PROTOCOLS = (ROC, EFHQ)


def evaluate(
    dest: str,
    embedding: str = RUN,
    device: str = "auto",
    *,
    protocol: str = ROC,
    features: str = "",
    lists: Sequence[str] = (),
) -> dict[str, Any]:
    """How well an embedding tells people apart, on the pair lists of a verification export.

    Scores every pair by the cosine of its two embeddings, and commits evaluation.json and roc.png to `dest`.

    embedding: "run", the one that the faces were mined with, or the name of an optional model, which is given the crops
    on `device`: "auto" (the GPU if torch sees one), "cpu", "cuda" or "cuda:N".
    protocol: "roc"; or "efhq", which adds EFHQ's ten folds to each list (`folds.efhq_figures`), as `efhq`.
    features: a `feat.npz` of somebody else's network, as EFHQ's evaluation reads it: `arr_0` [n, d], with `paths.txt`
    beside it, a path of the lists per line; it takes the place of `embedding`. lists: of LISTS, () for all of them.
    Returns what evaluation.json holds: per list the counts and, if there are pairs, `auc`, `eer` and `tar_at_far`, in
    which null stands for a rate that the list is too short to show, and `notes` on what is missing.
    Raises UserError if `dest` is no verification export, or the model's file is missing, wrong or no embedding.
    """
    wrong = [name for name in lists if name not in LISTS]
    if wrong or protocol not in PROTOCOLS:
        raise UserError(
            f"lists are {', '.join(LISTS)}, protocols {', '.join(PROTOCOLS)}; not {[*wrong, protocol][0]}"
        )
    folder = Folder(dest)
    pairs = {name: _read_list(folder, name) for name in lists or LISTS}
    paths = sorted({path for lines in pairs.values() for line in lines for path in line[:2]})
    embedding = f"features of {features}" if features else embedding
    if features:
        vectors = _of_features(features, paths)
    elif embedding == RUN:
        vectors = _of_run(folder, paths)
    else:
        vectors = _of_optional_model(folder, paths, embedding, device)
    position = {path: number for number, path in enumerate(paths)}
    evaluation: dict[str, Any] = {"embedding": embedding, "similarity": "cosine", "protocol": protocol}
    cautions = [CAUTION] if embedding == RUN else []
    if (
        embedding == RUN
        and (folder.json("pairs.json", "export again") or {}).get("degrade", "none") != "none"
    ):
        cautions.append(CLEAN)
    evaluation |= {"caution": "; ".join(cautions), "lists": {}}
    curves: dict[str, Roc] = {}
    for name, lines in pairs.items():
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
        if protocol == EFHQ:
            evaluation["lists"][name]["efhq"] = _in_folds(vectors, lines, position)
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


def _in_folds(
    vectors: NDArray[np.float64], lines: Sequence[tuple[str, str, bool]], position: dict[str, int]
) -> dict[str, Any]:
    scores, same = _scored(vectors, lines, position)
    try:
        return efhq_figures(scores, same)
    except ValueError as error:
        return {"note": f"no figures: {error}"}


def _scored(
    vectors: NDArray[np.float64], lines: Sequence[tuple[str, str, bool]], position: dict[str, int]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Cosines [n] of the pairs, and whether each is one person's [n]."""
    one, other = vectors[[position[a] for a, _, _ in lines]], vectors[[position[b] for _, b, _ in lines]]
    return (one * other).sum(1), np.array([line[2] for line in lines], bool)


def _curve(
    vectors: NDArray[np.float64], lines: Sequence[tuple[str, str, bool]], position: dict[str, int]
) -> Roc | None:
    scores, same = _scored(vectors, lines, position)
    return roc(scores, same) if same.any() and not same.all() else None


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


def _of_features(uri: str, paths: list[str]) -> NDArray[np.float64]:
    """Rows of a feat.npz for these paths of the lists, unit length [n, d]."""
    location = absolute(uri)
    listed = f"{location.rpartition('/')[0]}/paths.txt"
    try:
        with opened(location) as (file, _), np.load(io.BytesIO(file.read()), allow_pickle=False) as arrays:
            table = np.asarray(arrays["arr_0"], np.float64)
        with opened(listed) as (file, _):
            lines = [line.strip() for line in file.read().decode().splitlines()]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        why = explain(error, uri) if isinstance(error, OSError) else str(error)
        raise UserError(
            f"{uri}: {why}; needed are arr_0 [n, d], and paths.txt beside it with a path of the lists a line"
        ) from None
    if table.ndim != 2 or len(table) != len(lines):
        raise UserError(f"{uri}: arr_0 has shape {table.shape}, but paths.txt {len(lines)} lines")
    number = {path.removeprefix(f"{IMAGES}/"): row for row, path in enumerate(lines)}
    missing = next((path for path in paths if path not in number), None)
    if missing is not None:
        raise UserError(f"{uri}: no features of {missing}; paths.txt holds paths as the lists do")
    return _unit_length(table[[number[path] for path in paths]])


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
