"""Eyes and mouth: on a portrait, its mirror image, turned pictures, and real clips of people who blink and look
aside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import polars as pl
import pytest
from clips import portrait

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.measure.expression import gaze


@pytest.fixture(scope="module")
def analyzer() -> lpff_ray.Analyzer:
    return lpff_ray.Analyzer(MineConfig(measures=("gaze",)))


def face(analyzer: lpff_ray.Analyzer, picture: np.ndarray) -> dict[str, Any]:
    """The surest face of a picture."""
    found = analyzer([np.ascontiguousarray(picture)]).sort("det_score", descending=True)
    return {
        name: np.array(value) if isinstance(value, (list, pl.Series)) else value
        for name, value in found.row(0, named=True).items()
    }


def test_a_portrait_its_mirror_image_and_a_turned_one(analyzer: lpff_ray.Analyzer) -> None:
    picture = portrait(0, 480, 384)
    plain, mirrored = face(analyzer, picture), face(analyzer, picture[:, ::-1])
    turned = face(analyzer, np.rot90(picture))
    x0, y0, x1, y1 = plain["bbox"]
    iris = plain["iris"]
    assert (iris[:, 0] > x0).all()
    assert (iris[:, 0] < x1).all()
    assert (iris[:, 1] > y0).all()
    assert (iris[:, 1] < (y0 + y1) / 2).all()
    assert iris[0, 0] < iris[1, 0], "image-left first"
    assert 0.03 < (iris[:, 2] / (iris[1, 0] - iris[0, 0])).min() < 0.2
    assert (plain["eyes_open"] > 0.15).all()
    assert np.abs(plain["gaze"]).max() < 0.4
    assert np.abs(mirrored["gaze"] - plain["gaze"] * [-1, 1]).max() < 0.1
    assert np.abs(mirrored["eyes_open"] - plain["eyes_open"][::-1]).max() < 0.1
    assert abs(mirrored["mouth_open"] - plain["mouth_open"]) < 0.1
    # rot90 turns anticlockwise: (x, y) is then at (y, width - x)
    where = np.column_stack([iris[:, 1], 480 - iris[:, 0]])
    there = turned["iris"][np.argsort(turned["iris"][:, 1])[::-1]]
    assert np.abs(there[:, :2] - where).max() < 4
    assert np.abs(turned["gaze"] - plain["gaze"]).max() < 0.15


def test_people_who_wink_look_aside_and_are_seen_from_the_side(
    analyzer: lpff_ray.Analyzer, shared_data: Path
) -> None:
    frames: dict[tuple[str, int], np.ndarray] = {}
    for clip, wanted in (("liveportrait_d3", (0, 20, 40)), ("face_recognition_short_hamilton_clip", (30,))):
        with av.open(str(shared_data / "videos" / f"{clip}.mp4")) as file:
            for number, frame in enumerate(file.decode(video=0)):
                if number in wanted:
                    frames[clip, number] = frame.to_ndarray(format="rgb24")
                if number == max(wanted):
                    break
    ahead, left_shut, right_shut = (
        face(analyzer, frames["liveportrait_d3", number]) for number in (0, 20, 40)
    )
    assert (ahead["eyes_open"] > 0.25).all()
    assert left_shut["eyes_open"][1] < 0.15 < left_shut["eyes_open"][0]
    assert right_shut["eyes_open"][0] < 0.15 < right_shut["eyes_open"][1]
    assert right_shut["gaze"][0] < -0.15, "she looks to image-right"
    assert abs(ahead["gaze"][0]) < 0.15
    profile = face(analyzer, frames["face_recognition_short_hamilton_clip", 30])
    assert abs(profile["azimuth"]) > gaze.LARGEST_AZIMUTH
    assert [profile[name] for name in gaze.Gaze.columns] == [None] * 5


def test_no_face_no_eyes() -> None:
    assert gaze.eyes_and_mouth(np.zeros((200, 200, 3), np.uint8), np.array([50, 50, 150, 150.0]), 0.0) is None
