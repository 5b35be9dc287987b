"""Pictures as players show them: oblong pixels made square, fields of two moments made one, turns found."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import av.filter
import numpy as np
import pytest
from clips import portrait, write_clip

from lpff_ray.decode import open_source
from lpff_ray.decode.container import open_video
from lpff_ray.decode.display import IDENTITY, deinterlaced, display_matrix, pixel_aspect, shown_size
from lpff_ray.decode.probe import probe
from lpff_ray.errors import SegmentError

pytestmark = pytest.mark.timeout(60)

QUARTER = (0, 1, -1, 0)


def write_oblong(path: Path, size: tuple[int, int], aspect: Fraction, rotation: int = 0) -> Path:
    """Six frames of `size` coded pixels with a disk that is round when they are shown."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    # One pixel is `aspect` times as wide as it is high.
    across, down = size[0] * float(aspect), size[1]
    side = min(across, down) * 0.8
    y, x = np.mgrid[: size[1], : size[0]] + 0.5
    picture[((x * float(aspect) - across / 2) ** 2 + (y - down / 2) ** 2) < (side / 2) ** 2] = 255
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "8", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv444p"
        stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        for _ in range(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def as_ffmpeg_shows(path: Path, rotation: int) -> np.ndarray:
    """The first frame through FFmpeg's own filters, told to do what its players do by themselves."""
    turns = {
        0: [],
        90: [("transpose", "cclock")],
        180: [("hflip", ""), ("vflip", "")],
        270: [("transpose", "clock")],
    }
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        # PyAV does not tell the graph of the pixels' shape.
        filters = [("setsar", str(stream.sample_aspect_ratio)), *turns[rotation]]
        filters += [("scale", "iw*sar:ih:flags=bicubic"), ("format", "rgb24"), ("buffersink", "")]
        graph = av.filter.Graph()
        nodes = [graph.add_buffer(template=stream), *(graph.add(*node) for node in filters)]
        graph.link_nodes(*nodes).configure()
        graph.push(next(container.decode(stream)))
        return np.asarray(graph.pull().to_ndarray())


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize(("size", "aspect"), [((144, 112), Fraction(4, 3)), ((144, 96), Fraction(8, 9))])
@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_disk_is_round(
    tmp_path: Path, size: tuple[int, int], aspect: Fraction, rotation: int, ending: str
) -> None:
    path = write_oblong(tmp_path / f"oblong.{ending}", size, aspect, rotation)
    with open_source(str(path), "video") as source:
        assert source.name == "pyav"
        (frame,) = source.frames([0])
    height, width = frame.rgb.shape[:2]
    if rotation % 180:
        assert (width, height) == (int(size[1] / aspect), size[0])
    else:
        assert (width, height) == (int(size[0] * aspect), size[1])
    info = probe(str(path), path.name)
    assert (info.width, info.height) == (width, height)
    lit = frame.rgb[..., 1] > 127
    wide, high = (int(lit.any(axis=axis).sum()) for axis in (0, 1))
    assert abs(wide - high) <= 2
    assert frame.rgb.flags.c_contiguous
    theirs = as_ffmpeg_shows(path, rotation)
    assert theirs.shape == frame.rgb.shape
    assert np.abs(theirs.astype(int) - frame.rgb.astype(int)).mean() < 1


def test_decord_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("decord")
    path = write_oblong(tmp_path / "oblong.mp4", (144, 108), Fraction(4, 3))
    with pytest.raises(SegmentError, match="pixels are not square"):
        open_source(str(path), "video", "decord")


@pytest.mark.parametrize(
    ("stated", "taken"),
    [
        (Fraction(0, 1), 1),  # unknown
        (Fraction(1), 1),
        (Fraction(640, 639), 1),  # sides rounded to even numbers
        (Fraction(16, 15), Fraction(16, 15)),
        (Fraction(32, 11), Fraction(32, 11)),
        (Fraction(200, 1), 1),  # a mistake
        (Fraction(1, 200), 1),
    ],
)
def test_what_a_file_states(tmp_path: Path, stated: Fraction, taken: Fraction) -> None:
    path = write_clip(tmp_path / "square.mp4", 3) if not stated else tmp_path / "oblong.mp4"
    if stated:
        write_oblong(path, (64, 48), stated)
    with av.open(str(path)) as container:
        assert pixel_aspect(container.streams.video[0]) == taken
    info = probe(str(path), path.name)
    assert (info.width, info.height) == (round(64 * taken) // 2 * 2, 48)
    with open_source(str(path), "video", "pyav") as source:
        (frame,) = source.frames([2])
    assert frame.rgb.shape[1::-1] == (info.width, info.height)


def test_sizes_are_those_of_ffplay() -> None:
    assert shown_size(1440, 1080, Fraction(4, 3), IDENTITY) == (1920, 1080)
    assert shown_size(720, 480, Fraction(8, 9), IDENTITY) == (640, 480)
    assert shown_size(704, 480, Fraction(40, 33), IDENTITY) == (852, 480)  # 853.3
    assert shown_size(720, 576, Fraction(64, 45), QUARTER) == (404, 720)  # 405
    assert shown_size(61, 47, Fraction(1), IDENTITY) == (61, 47), "square ones stay as they are"
    assert shown_size(61, 47, Fraction(1), QUARTER) == (47, 61)


def write_interlaced(path: Path, picture_of: Callable[[int, int, int], np.ndarray]) -> Path:
    """Ten pictures marked as two fields each, the upper one first."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.codec_context.options = {"preset": "veryfast", "crf": "10", "x264-params": "tff=1"}
        stream.codec_context.thread_count = 1
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(picture_of(index, 320, 240), format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    return path


def woven(index: int, width: int, height: int) -> np.ndarray:
    """A portrait that moves by 6 pixels from field to field."""
    picture = portrait(6 * index, width, height)
    picture[1::2] = portrait(6 * index + 3, width, height)[1::2]
    return picture


def test_fields_of_two_moments_become_one(tmp_path: Path) -> None:
    with open_source(str(write_interlaced(tmp_path / "woven.mp4", woven)), "video") as source:
        frames = {frame.index: frame.rgb for frame in source.frames(range(10))}
        alone = {frame.index: frame.rgb for index in (3, 7) for frame in source.frames([index])}
    for index, rgb in frames.items():
        off = [
            np.abs(rgb.astype(int) - other).mean()
            for other in (
                woven(index, 320, 240),
                portrait(6 * index, 320, 240),
                portrait(6 * index + 3, 320, 240),
            )
        ]
        assert min(off[1:]) < 6 < off[0], "one of the two moments, and not their mixture"
    assert all(np.array_equal(rgb, frames[index]) for index, rgb in alone.items())


def test_fields_of_one_moment_stay_together(tmp_path: Path) -> None:
    path = write_interlaced(tmp_path / "film.mp4", portrait)
    with open_video(str(path)) as container:
        for picture in container.decode(video=0):
            assert picture.interlaced_frame
            assert deinterlaced(picture) is picture


def test_decord_is_not_given_fields(tmp_path: Path) -> None:
    pytest.importorskip("decord")
    with pytest.raises(SegmentError, match="interlaced"):
        open_source(str(write_interlaced(tmp_path / "film.mp4", portrait)), "video", "decord")


def test_a_turn_beside_data_without_a_name(tmp_path: Path) -> None:
    """PyAV gives no side data at all where it has no name for one kind: FFmpeg itself still tells the turn."""

    class Picture:
        def __init__(self, rotation: int) -> None:
            self.rotation = rotation

        @property
        def side_data(self) -> dict[str, object]:
            raise ValueError("31 is not a valid Type")

    for degrees in (0, 90, 180, 270):
        path = write_clip(tmp_path / f"{degrees}.mp4", 1, rotation=degrees)
        with open_video(str(path)) as container:
            picture = next(container.decode(video=0))
            unnamed = Picture(picture.rotation)
            assert display_matrix(unnamed) == display_matrix(picture)  # type: ignore[arg-type]
