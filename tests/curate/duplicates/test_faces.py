"""What is kept, and what repeats it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import joined, video

from lpff_ray.curate.config import DedupeConfig
from lpff_ray.curate.duplicates import faces as duplicates
from lpff_ray.curate.duplicates.faces import keepers
from lpff_ray.curate.faces import Faces, face_arrays
from lpff_ray.geometry.rotation import geodesic_degrees

CONFIG = DedupeConfig(duplicate_bits=20).resolved("dlib-resnet")
SHUT = np.array([[0, 10, 4, 4, 13]], np.float32)
MADE = {
    "mouth": SHUT + np.array([[2, 0, 0, 0, 0]], np.float32),
    "one eye": SHUT - np.array([[0, 0, 0, 1.5, 0]], np.float32),
    "a little": SHUT + np.float32(0.9),
    "unknown": np.full((1, 5), np.nan, np.float32),
}


def alike(faces: Faces, identity: np.ndarray, slack: float) -> np.ndarray:
    """Which pairs are duplicates by the words of the definition, bool [n, n]. slack: of the limits, relative."""
    away = np.linalg.norm(faces.embedding[:, None] - faces.embedding[None], axis=2)
    turned = geodesic_degrees(faces.rotation[:, None].astype(float), faces.rotation[None].astype(float))
    bits = np.array([[bin(int(a) ^ int(b)).count("1") for b in faces.phash] for a in faces.phash])
    assert CONFIG.duplicate_distance is not None
    near = (away <= CONFIG.duplicate_distance * (1 + slack)) & (
        turned <= CONFIG.duplicate_degrees * (1 + slack)
    )
    makes = np.nan_to_num(np.abs(faces.expression[:, None] - faces.expression[None])).max(axis=2)
    near &= makes <= CONFIG.duplicate_expression * (1 + slack)
    return near & (bits <= CONFIG.duplicate_bits) & (identity[:, None] == identity[None])


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from([3, 1024]), st.sampled_from([0.0, 0.03]))
def test_best_is_kept_and_nothing_repeats_a_repeat(seed: int, block: int, sparse: float) -> None:
    faces = face_arrays(joined(video("a", [1, 2], 30, seed=seed), video("b", [1], 30, seed=seed + 1)))
    makes = np.random.default_rng(seed).normal(size=(len(faces.ids), 5), scale=0.4).astype(np.float32)
    makes[::7] = np.nan
    faces = replace(faces, expression=makes)
    identity = np.where(np.array([face.endswith(":0") for face in faces.ids["face_id"]]), 0, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_BLOCK", block)  # however the work is divided
        patch.setattr(duplicates, "_SPARSE", sparse)  # pair by pair, or as matrices
        keeper = keepers(faces, identity, CONFIG)
    is_kept = keeper == np.arange(len(keeper))
    assert is_kept[keeper].all(), "no chains"
    assert alike(faces, identity, 0.01)[np.arange(len(keeper)), keeper].all()
    assert (faces.quality[keeper] >= faces.quality).all(), "the better one is kept"
    surely = alike(faces, identity, -0.01)[np.ix_(is_kept, is_kept)]
    assert (surely.sum(1) == 1).all(), "no two kept faces are alike"
    assert 0 < is_kept.sum() < len(keeper)


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ("nothing", 1),
        ("identity", 2),
        ("rotation", 2),
        ("picture", 2),
        ("embedding", 2),
        ("hidden by angles", 1),
        ("mouth", 2),
        ("one eye", 2),
        ("a little", 1),
        ("unknown", 1),
    ],
)
def test_all_of_identity_rotation_and_picture_count(change: str, kept: int) -> None:
    table = video("a", [1], 2, still=True)
    faces = face_arrays(table)
    identity = np.zeros(2, np.int64)
    if change == "identity":
        identity[1] = 1
    elif change == "rotation":
        faces = face_arrays(table.with_columns(yaw=np.array([0.0, 6.0])))
    elif change == "picture":
        phash = faces.phash.copy()
        phash[1] ^= np.uint64(2**21 - 1)
        faces = replace(faces, phash=phash)
    elif change == "embedding":
        other = face_arrays(video("a", [2], 2, still=True)).embedding
        faces = replace(faces, embedding=np.stack([faces.embedding[0], other[1]]))
    elif (
        change == "hidden by angles"
    ):  # at 90 degrees of yaw, pitch and roll may be anything of one difference
        angles = table.with_columns(yaw=90.0, pitch=np.array([0.0, -30.0]), roll=np.array([40.0, 10.0]))
        faces = face_arrays(angles)
    elif change in MADE:
        faces = replace(faces, expression=np.concatenate([SHUT, MADE[change]]))
    assert (keepers(faces, identity, CONFIG) == np.arange(2)).sum() == kept
