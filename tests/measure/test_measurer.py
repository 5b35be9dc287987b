"""What is measured of faces turned in the picture plane: people who lie, photos without their EXIF orientation."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import polars as pl
import pytest
from skimage.data import astronaut

import lpff_ray

ANGLES = (30, 60, 90, 135, 180, 225, 270, 285, 330)


@cache
def analyzer() -> lpff_ray.Analyzer:
    return lpff_ray.Analyzer(device="cpu")


@cache
def upright() -> dict:
    return analyzer()([astronaut()]).row(0, named=True)


def turned(angle: float) -> tuple[np.ndarray, np.ndarray]:
    """The astronaut turned anticlockwise, degrees, and the transform of its points."""
    side = len(astronaut())
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), angle, 0.8)
    return cv2.warpAffine(astronaut(), matrix, (side, side)), matrix


def only_row(picture: np.ndarray) -> dict:
    table = analyzer()([picture])
    assert len(table) == 1
    return table.row(0, named=True)


@pytest.mark.parametrize("angle", ANGLES)
def test_everything_measured_turns_with_the_picture(angle: float) -> None:
    picture, matrix = turned(angle)
    row, before = only_row(picture), upright()
    assert (row["tilt"] - before["tilt"] + angle + 180) % 360 - 180 == pytest.approx(0, abs=6)
    direction = np.array([row["azimuth"], row["elevation"]])
    assert np.linalg.norm(direction) < 12, "it looks into the camera at any angle"
    assert row["pose_bin"] == "frontal"
    for name, width in (("keypoints", 2), ("landmarks", 3)):
        wanted = np.array(before[name])[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        assert np.abs(np.array(row[name]).reshape(-1, width)[:, :2] - wanted).max() < 12, name
    points = np.array(row["landmarks"])[:, :2]
    x0, y0, x1, y1 = row["bbox"]
    assert ((points > [x0, y0]) & (points < [x1, y1])).all()
    assert row["face_px"] == pytest.approx(0.8 * before["face_px"], rel=0.08)
    assert np.linalg.norm(np.array(row["embedding"]) - before["embedding"]) < 0.25


def test_a_quarter_turn_changes_no_measure_of_the_picture() -> None:
    """The upright picture of a turned frame is that frame turned back: crops are the same to the last bit or nearly."""
    names = ("iqa", "sharpness", "brightness", "face_px", "det_score")
    before = upright()
    for turn in (1, 2, 3):
        row = only_row(np.ascontiguousarray(np.rot90(astronaut(), turn)))
        for name in names:
            assert row[name] == pytest.approx(before[name], rel=0.03), (turn, name)
        assert row["pose_spread"] == pytest.approx(before["pose_spread"], abs=1.5)


def test_a_crop_of_a_turned_frame_gives_pixels_of_the_frame() -> None:
    """The clip's crop is turned, not the frame: its corner has to be added after it is turned back."""
    from lpff_ray.config import MineConfig
    from lpff_ray.decode.frame_source import Frame
    from lpff_ray.measure.measurer import FaceMeasurer, Measurements

    picture = np.ascontiguousarray(np.rot90(astronaut(), 1))
    frame = cv2.copyMakeBorder(picture, 20, 0, 50, 90, cv2.BORDER_CONSTANT)
    taken, measurer = Measurements(), FaceMeasurer(MineConfig(), "cpu")
    measurer.measure([Frame(0, 0, frame)], taken, crop=(50, 20, 562, 532))
    measurer.finish(taken)
    whole = only_row(picture)
    corner = np.array([50, 20])
    for name in ("bbox", "keypoints"):
        there = np.array(taken.columns[name][0]).reshape(-1, 2) - corner
        assert there == pytest.approx(np.array(whole[name]).reshape(-1, 2), abs=1), name


def test_two_people_of_one_picture_may_lie_differently() -> None:
    pictures = [astronaut(), np.ascontiguousarray(np.rot90(astronaut(), 2))]
    table = analyzer()([np.concatenate(pictures, axis=1)])
    assert len(table) == 2
    tilts = table.select(pl.col("tilt").abs()).to_series().to_list()
    assert tilts[0] < 10
    assert tilts[1] > 170
