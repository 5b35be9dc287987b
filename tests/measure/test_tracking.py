"""Tracks and shot boundaries."""

from __future__ import annotations

import numpy as np
from skimage.data import astronaut, coffee

from lpff_ray.measure.identity.embeddings import DLIB
from lpff_ray.measure.tracking import is_shot_boundary, link, shot_signature

RANDOM = np.random.default_rng(0)
ANNA, BEN = (v / np.linalg.norm(v) for v in RANDOM.normal(size=(2, 128)))


def walk(frames: int, start: float, speed: float, size: float = 50) -> np.ndarray:
    x = start + speed * np.arange(frames)
    return np.stack([x, np.full(frames, 100.0), x + size, np.full(frames, 100 + size)], 1)


def rows(
    *walks: tuple[np.ndarray, np.ndarray, list[int]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[int]]:
    """Boxes, embeddings, frame numbers and true owners of several people, sorted as the table is."""
    found = sorted(
        (frame, boxes[frame][0], tuple(boxes[frame]), who)
        for who, (boxes, _, frames) in enumerate(walks)
        for frame in frames
    )
    owners = [who for *_, who in found]
    return (
        np.array([box for _, _, box, _ in found]),
        np.array([walks[who][1] for who in owners]),
        np.array([frame for frame, *_ in found]),
        owners,
    )


def times(frames: int, every_s: float = 0.2) -> np.ndarray:
    return (np.arange(frames) * every_s * 1e9).astype(np.int64)


def test_people_who_pass_each_other_keep_their_tracks() -> None:
    n = 20
    boxes, embeddings, frames, owners = rows(
        (walk(n, 0, 20), ANNA, list(range(n))), (walk(n, 400, -20), BEN, list(range(n)))
    )
    tracks = link(times(n), np.zeros(n, bool), boxes, embeddings, frames, DLIB.likeness)
    for who in (0, 1):
        assert len({t for t, o in zip(tracks, owners, strict=True) if o == who}) == 1
    assert len(set(tracks.tolist())) == 2


def test_a_short_gap_is_bridged_and_a_long_one_is_not() -> None:
    for missing, expected in ((3, 1), (12, 2)):
        seen = [f for f in range(30) if not 8 <= f < 8 + missing]
        boxes, embeddings, frames, _ = rows((walk(30, 100, 2), ANNA, seen))
        assert (
            len(set(link(times(30), np.zeros(30, bool), boxes, embeddings, frames, DLIB.likeness).tolist()))
            == expected
        )


def test_a_lost_track_takes_nobody_elses_face() -> None:
    """A second of `facenet-pytorch_video`: the boy was given the track of a woman gone for 0.8 s.

    Two wrong links and a far-fetched third cost less than the two right ones and a newcomer left alone.
    """
    random = np.random.default_rng(1)
    alike = random.normal(size=(4, 128)) * 0.35 + random.normal(size=128)  # cosines of about 0.9, as dlib's
    woman, boy, man, newcomer = alike / np.linalg.norm(alike, axis=1, keepdims=True)
    seen = [
        *((0, woman, 944, 690, 50), (0, boy, 1024, 755, 82), (0, man, 1116, 680, 63)),
        *((1, woman, 947, 700, 50), (1, boy, 1022, 748, 81), (1, man, 1112, 690, 63)),
        *((2, woman, 948, 710, 51), (2, boy, 1014, 747, 83), (3, boy, 1032, 748, 87)),
        *((4, boy, 1009, 767, 92), (4, man, 1103, 696, 52), (4, newcomer, 1154, 734, 58)),
    ]
    boxes = np.array([(x - side / 2, y - side / 2, x + side / 2, y + side / 2) for *_, x, y, side in seen])
    embeddings, frames = np.array([row[1] for row in seen]), np.array([row[0] for row in seen])
    pts = (np.array([0.80, 0.96, 1.12, 1.76, 1.92]) * 1e9).astype(np.int64)
    tracks = link(pts, np.zeros(5, bool), boxes, embeddings, frames, DLIB.likeness)
    assert tracks.tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 1, 1, 2, 3]


def test_a_shot_boundary_ends_every_track() -> None:
    boxes, embeddings, frames, _ = rows((walk(10, 100, 0), ANNA, list(range(10))))
    starts = np.arange(10) == 5
    assert link(times(10), starts, boxes, embeddings, frames, DLIB.likeness).tolist() == [0] * 5 + [1] * 5


def test_another_person_in_the_same_position_is_another_track() -> None:
    boxes, embeddings, frames, _ = rows((walk(10, 100, 0), ANNA, list(range(10))))
    embeddings[5:] = BEN
    assert (
        link(times(10), np.zeros(10, bool), boxes, embeddings, frames, DLIB.likeness).tolist()
        == [0] * 5 + [1] * 5
    )


def test_sparse_sampling_does_not_break_tracks() -> None:
    boxes, embeddings, frames, _ = rows((walk(6, 100, 10), ANNA, list(range(6))))
    assert set(
        link(times(6, every_s=4.0), np.zeros(6, bool), boxes, embeddings, frames, DLIB.likeness).tolist()
    ) == {0}


def test_another_picture_is_a_shot_boundary_and_a_moved_or_dimmed_one_is_not() -> None:
    photo = astronaut()
    same = shot_signature(photo)
    assert is_shot_boundary(same, shot_signature(coffee()))
    assert not is_shot_boundary(same, same)
    assert not is_shot_boundary(same, shot_signature(np.roll(photo, 40, axis=1)))
    assert not is_shot_boundary(same, shot_signature((photo * 0.85).astype(np.uint8)))
