"""Duplicates by the words of their definition, one face at a time: what `dedupe`'s own are compared with."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from numpy.typing import NDArray

import lpff_ray
from lpff_ray.curate.config import DedupeConfig
from lpff_ray.geometry.rotation import matrix_from_angles
from lpff_ray.tables import curated
from lpff_ray.tables.run_folder import open_run_folder

FACES = 20_000  # about, in whole identities drawn at random
_COLUMNS = ("face_id", "yaw", "pitch", "roll", "iqa", "det_score", "face_px", "embedding", "phash")


def repeats(out: str, faces: int = FACES) -> dict[str, float]:
    """checked: faces looked at; repeats: how many of them repeat another one, by the oracle; alike: the share of the
    pairs (face, kept face) of either, `dedupe` and oracle, that are pairs of both.
    """
    marks = curated.dedupe_marks(out).with_row_index("position")
    sizes = marks.group_by("identity_id").len().sort("identity_id").sample(fraction=1, shuffle=True, seed=0)
    chosen = sizes.filter(pl.col("len").cum_sum().shift(1, fill_value=0) < faces)
    marks = marks.join(chosen.select("identity_id"), on="identity_id", how="semi")
    table = lpff_ray.scan(out).select(_COLUMNS).collect().join(marks, on="face_id").sort("position")
    config = DedupeConfig().resolved(curated.embedding_of(open_run_folder(out)))
    wanted: set[tuple[str, str]] = set()
    for identity in table.partition_by("identity_id"):
        names = identity["face_id"].to_list()
        wanted |= {(names[face], names[kept]) for face, kept in by_definition(identity, config)}
    found = set(table.filter(~pl.col("keep")).select("face_id", "duplicate_of").iter_rows())
    return {
        "checked": float(len(table)),
        "repeats": float(len(wanted)),
        "alike": len(found & wanted) / max(len(found | wanted), 1),
    }


def by_definition(table: pl.DataFrame, config: DedupeConfig) -> list[tuple[int, int]]:
    """Pairs (face, kept face), by row, of one identity's faces in the order of their table; config: a resolved one.

    From the best down, the first of the table before one as good, every face is compared with all that are kept. It
    repeats the best of those within the distance, the angle and the bits; if there is none, it is kept.
    """
    assert config.duplicate_distance is not None
    quality = (
        (table["iqa"] * table["det_score"] * (table["face_px"] / 256).clip(0, 1)).cast(pl.Float32).to_numpy()
    )
    embedding = table["embedding"].to_numpy().astype(np.float64)
    turned = matrix_from_angles(*(table[name].to_numpy() for name in ("yaw", "pitch", "roll"))).reshape(-1, 9)
    bits = np.unpackbits(table["phash"].to_numpy().view(np.uint8).reshape(-1, 8), axis=1)
    kept = np.empty(len(table), np.int64)
    count, pairs = 0, []
    for face in np.argsort(-quality, kind="stable").tolist():
        others: NDArray[np.int64] = kept[:count]
        cosine = (turned[others] @ turned[face] - 1) / 2
        others = others[np.arccos(np.clip(cosine, -1, 1)) <= math.radians(config.duplicate_degrees)]
        others = others[(bits[others] != bits[face]).sum(axis=1) <= config.duplicate_bits]
        away = np.linalg.norm(embedding[others] - embedding[face], axis=1)
        others = others[away <= config.duplicate_distance]
        if len(others):
            pairs.append((face, int(others[0])))
        else:
            kept[count] = face
            count += 1
    return pairs
