"""Crops, from what was written to whole pixels: a fraction and a pixel are never confused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl
import pytest
from clips import portrait, write_clip
from hypothesis import given
from hypothesis import strategies as st

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.errors import UserError
from lpff_ray.plan.crop import Box, Crop, PixelBox
from lpff_ray.plan.manifest import Source, read_manifest
from lpff_ray.plan.planner import plan_videos
from lpff_ray.plan.video import Video
from lpff_ray.tables.run_folder import PLAN_FILE
from lpff_ray.types import CropUnit, MediaKind, VideoStatus

FRACTION, PIXEL = CropUnit.FRACTION, CropUnit.PIXEL
COLUMNS = "uri,clip_id,x0,y0,x1,y1,crop_unit"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 frames of 480 x 320 pixels with one face."""
    path = tmp_path_factory.mktemp("crops") / "clip.mp4"
    return write_clip(path, 4, size=(480, 320), picture_of=portrait)


def planned(clip: Path, crop: Crop) -> Video:
    (video,) = plan_videos([Source(str(clip), crop=crop)])
    return video


@pytest.mark.parametrize(
    ("box", "unit", "pixels"),
    [
        ((0, 0, 1, 1), None, (0, 0, 480, 320)),
        ((0, 0, 1, 1), FRACTION, (0, 0, 480, 320)),
        ((0, 0, 1, 1), PIXEL, (0, 0, 1, 1)),
        ((0.2, 0.1, 0.9, 0.95), None, (96, 32, 432, 304)),
        ((0.5, 0.5, 0.5001, 0.5001), None, (240, 160, 241, 161)),
        ((0.25, 0.5, 1.25, 1.5), FRACTION, (120, 160, 480, 320)),
        ((0.25, 0.5, 1.25, 1.5), PIXEL, (0, 0, 2, 2)),
        ((101, 40, 410, 301), None, (101, 40, 410, 301)),
        ((-5, -5, 9999, 20.5), None, (0, 0, 480, 21)),
        ((479.5, 319.5, 480, 320), None, (479, 319, 480, 320)),
    ],
)
def test_the_plan_resolves_crops_to_whole_pixels(
    clip: Path, box: Box, unit: CropUnit | None, pixels: PixelBox
) -> None:
    assert planned(clip, Crop.of(box, unit)).crop == pixels


sides = st.integers(1, 4000)
numbers = st.tuples(*[st.floats(-1, 1.5)] * 4) | st.tuples(*[st.floats(-50, 5000)] * 4)


@given(numbers, st.sampled_from(CropUnit), sides, sides)
def test_what_is_left_of_a_crop_lies_in_the_frame(box: Box, unit: CropUnit, width: int, height: int) -> None:
    inside = Crop(box, unit).inside(width, height)
    if inside is None:
        return
    x0, y0, x1, y1 = inside.pixels(width, height)
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height
    assert inside.inside(width, height) == inside


def test_ids_are_those_of_older_runs(clip: Path) -> None:
    """Face ids begin with them: a run that was begun by an older release goes on."""

    def suffix(box: Box, unit: CropUnit | None = None) -> str:
        return planned(clip, Crop.of(box, unit)).video_id.partition("-")[2]

    def hashed(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    assert suffix((0.25, 0.0, 0.75, 1.0)) == hashed("(0.0, None, (0.25, 0.0, 0.75, 1.0))")
    assert suffix((-3.0, 0.0, 999.0, 64.5)) == hashed("(0.0, None, (0.0, 0.0, 480.0, 64.5))")
    assert suffix((0.0, 0.0, 1.0, 1.0), FRACTION) == suffix((0.0, 0.0, 1.0, 1.0))
    assert suffix((0.0, 0.0, 1.0, 1.0), PIXEL) != suffix((0.0, 0.0, 1.0, 1.0))
    assert suffix((0.0, 0.0, 9.0, 9.0), PIXEL) == suffix((0.0, 0.0, 9.0, 9.0))


def test_a_frame_of_another_size_gets_what_was_asked_for(clip: Path) -> None:
    """A stream may change its size on the way."""
    half = planned(clip, Crop.of((0.0, 0.0, 0.5, 0.5)))
    assert half.crop_in(480, 320) == half.crop == (0, 0, 240, 160)
    assert half.crop_in(240, 160) == (0, 0, 120, 80)
    corner = planned(clip, Crop.of((400.0, 0.0, 480.0, 64.0)))
    assert corner.crop_in(240, 160) == (239, 0, 240, 64)
    whole = Video("v", "v.mp4", MediaKind.VIDEO, 1, VideoStatus.PLANNED)
    assert whole.crop_in(480, 320) is None


def test_a_manifest_may_say_the_unit(tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    rows = ["a.mp4,1,0,0,1,1,pixel", "a.mp4,2,0,0,1,1,fraction", "a.mp4,3,0,0,1,1,", "b.mp4,4,,,,,pixel"]
    manifest.write_text("\n".join([COLUMNS, *rows, ""]))
    crops = [source.crop for source in read_manifest(str(manifest))]
    whole = Crop((0.0, 0.0, 1.0, 1.0), FRACTION)
    assert crops == [Crop((0.0, 0.0, 1.0, 1.0), PIXEL), whole, whole, None]
    manifest.write_text(f"{COLUMNS}\na.mp4,1,0,0,1,1,px\n")
    with pytest.raises(UserError, match="line 2: crop_unit is 'px'; it must be fraction or pixel"):
        read_manifest(str(manifest))


def test_one_pixel_and_the_whole_frame_are_mined_apart(clip: Path, tmp_path: Path) -> None:
    manifest, out = tmp_path / "list.csv", str(tmp_path / "out")
    rows = ["whole,0,0,1,1,fraction", "pixel,0,0,1,1,pixel", "unsaid,0,0,1,1,", "left,0,0,0.25,1,fraction"]
    manifest.write_text("\n".join([COLUMNS, *(f"{clip},{row}" for row in rows), ""]))
    for _ in range(2):  # the second time nothing is left to do, and no row is doubled
        summary = lpff_ray.mine(str(manifest), out, MineConfig(), workers=1)
    assert summary.done_before == summary.planned == 3
    faces = lpff_ray.scan(out).collect()
    assert faces["clip_id"].to_list() == ["whole"] * 4
    videos = lpff_ray.videos(out).select("clip_id", "status", "crop_unit").rows()
    assert videos == [
        ("whole", "done", "fraction"),
        ("pixel", "done", "pixel"),
        ("unsaid", "duplicate", "fraction"),
        ("left", "done", "fraction"),
    ]


def test_a_run_of_an_older_release_goes_on(clip: Path, tmp_path: Path) -> None:
    """Its plan does not say what a crop's numbers count."""
    manifest, out = tmp_path / "list.csv", str(tmp_path / "out")
    manifest.write_text(f"uri,x0,y0,x1,y1\n{clip},0,0,1,1\n{clip},100,0,400,320\n{clip},,,,\n")
    lpff_ray.mine(str(manifest), out, MineConfig(), workers=1)
    plan = pl.read_parquet(tmp_path / "out" / PLAN_FILE)
    plan.drop("crop_unit").write_parquet(tmp_path / "out" / PLAN_FILE)
    assert lpff_ray.videos(out)["crop_unit"].to_list() == ["fraction", "pixel", None]
    summary = lpff_ray.mine(str(manifest), out, MineConfig(), workers=1)
    assert summary.done_before == summary.planned == 3
    assert pl.read_parquet(tmp_path / "out" / PLAN_FILE).equals(plan)
