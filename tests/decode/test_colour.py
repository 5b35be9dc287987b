"""Colours come out as the stream's matrix and range say: by the standards' formulas, and by FFmpeg's filters."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext

from lpff_ray.decode import open_source
from lpff_ray.errors import SegmentError

pytestmark = pytest.mark.timeout(60)

# Red's and blue's share of luma: ITU-R BT.601-7, BT.709-6, BT.2020-2.
SHARES = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
# What a stream may state (ITU-T H.273's number, FFmpeg's range) and what it means.
STATED = {
    "untagged": (2, 0, "bt601", "limited"),
    "untagged full": (2, 2, "bt601", "full"),
    "BT.709": (1, 1, "bt709", "limited"),
    "BT.709 full": (1, 2, "bt709", "full"),
    "BT.601, 525 lines": (6, 1, "bt601", "limited"),
    "BT.601, 625 lines": (5, 1, "bt601", "limited"),
    "BT.601 full": (6, 2, "bt601", "full"),
    "BT.2020": (9, 1, "bt2020", "limited"),
}
ROWS, COLUMNS = 4, 6


def palette() -> np.ndarray:
    """RGB 0..1 [4, 6, 3]: primaries, black, white, skin, and colours at random."""
    colours = np.random.default_rng(1).random((ROWS, COLUMNS, 3))
    colours[0] = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.8, 0.6, 0.5), (1, 1, 1), (0, 0, 0)]
    return colours


def to_yuv(rgb: np.ndarray, matrix: str, span: str) -> np.ndarray:
    red, blue = SHARES[matrix]
    luma = rgb @ [red, 1 - red - blue, blue]
    cb, cr = (rgb[..., 2] - luma) / (2 * (1 - blue)), (rgb[..., 0] - luma) / (2 * (1 - red))
    levels = [16 + 219 * luma, 128 + 224 * cb, 128 + 224 * cr]
    if span == "full":
        levels = [255 * luma, 128 + 255 * cb, 128 + 255 * cr]
    return np.clip(np.rint(np.stack(levels)), 0, 255).astype(np.uint8)


def to_rgb(yuv: np.ndarray, matrix: str, span: str) -> np.ndarray:
    """The formulas of the standards backwards: levels 0..255, not rounded [4, 6, 3]."""
    red, blue = SHARES[matrix]
    y, u, v = yuv.astype(np.float64)
    luma, cb, cr = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
    if span == "full":
        luma, cb, cr = y / 255, (u - 128) / 255, (v - 128) / 255
    r, b = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
    g = (luma - red * r - blue * b) / (1 - red - blue)
    return 255 * np.clip(np.stack([r, g, b], -1), 0, 1)


def write_bars(path: Path, stated: str, size: tuple[int, int] = (192, 128)) -> np.ndarray:
    """A clip of 3 frames of the palette's bars, tagged as `stated`; the RGB that they mean, [4, 6, 3]."""
    number, level_range, matrix, span = STATED[stated]
    yuv = to_yuv(palette(), matrix, span)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if span == "full" else "yuv420p"
        stream.codec_context.options = {"crf": "1", "preset": "veryfast"}
        stream.codec_context.thread_count = 1
        stream.codec_context.colorspace = number
        stream.codec_context.color_range = level_range
        for index in range(3):
            frame = av.VideoFrame(*size, stream.pix_fmt)
            for plane, levels in zip(frame.planes, yuv, strict=True):
                picture = np.zeros((plane.height, plane.line_size), np.uint8)
                cell = np.ones((plane.height // ROWS, -(-plane.width // COLUMNS)), np.uint8)
                picture[:, : plane.width] = np.kron(levels, cell)[:, : plane.width]
                plane.update(picture)
            frame.colorspace, frame.color_range = number, level_range
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return to_rgb(yuv, matrix, span)


def first_frame(path: Path, decoder: str) -> np.ndarray:
    with open_source(str(path), "video", decoder) as source:
        return next(iter(source.frames([0]))).rgb


def by_filters(path: Path, matrix: str, span: str) -> np.ndarray:
    """FFmpeg's conversion when it is told the matrix and the range: uint8 [h, w, 3]."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        graph = av.filter.Graph()
        chain = [
            graph.add_buffer(template=stream),
            graph.add("scale", f"in_color_matrix={matrix}:in_range={span}"),
            graph.add("format", "rgb24"),
            graph.add("buffersink"),
        ]
        for before, after in pairwise(chain):
            before.link_to(after)
        graph.configure()
        graph.push(next(container.decode(stream)))
        return graph.pull().to_ndarray()


def centres(rgb: np.ndarray) -> np.ndarray:
    height, width = rgb.shape[:2]
    return rgb[height // 8 :: height // 4, width // 12 :: width // 6][:ROWS, :COLUMNS].astype(np.float64)


@pytest.mark.parametrize("stated", STATED)
@pytest.mark.parametrize("decoder", ["pyav", "decord"])
def test_the_matrix_and_the_range_that_a_stream_states_are_heeded(
    tmp_path: Path, stated: str, decoder: str
) -> None:
    if decoder == "decord":
        pytest.importorskip("decord")
    _, _, matrix, span = STATED[stated]
    meant = write_bars(tmp_path / "bars.mp4", stated)
    rgb = first_frame(tmp_path / "bars.mp4", decoder)
    assert np.abs(centres(rgb) - meant).max() <= 3
    assert np.abs(centres(rgb) - meant).mean() <= 1.5
    theirs = by_filters(tmp_path / "bars.mp4", matrix, span)
    assert np.abs(rgb.astype(int) - theirs).max() <= 2


def test_a_wrong_matrix_or_range_would_be_seen() -> None:
    yuv = to_yuv(palette(), "bt709", "limited")
    right = to_rgb(yuv, "bt709", "limited")
    assert np.abs(to_rgb(yuv, "bt601", "limited") - right).max() > 20
    assert np.abs(to_rgb(yuv, "bt709", "full") - right).max() > 10


@pytest.mark.parametrize("decoder", ["pyav", "auto"])
def test_an_untagged_hd_clip_is_read_as_ffmpeg_reads_it(tmp_path: Path, decoder: str) -> None:
    meant = write_bars(tmp_path / "bars.mp4", "untagged", (1280, 720))
    assert np.abs(centres(first_frame(tmp_path / "bars.mp4", decoder)) - meant).max() <= 3


def test_a_matrix_that_can_not_be_converted_is_refused_by_both_decoders(tmp_path: Path) -> None:
    """FFmpeg 4.1 in decord would take YCgCo for BT.601 and say nothing."""
    write_bars(tmp_path / "bars.mp4", "BT.709")
    with av.open(str(tmp_path / "bars.mp4")) as before, av.open(str(tmp_path / "ycgco.mp4"), "w") as after:
        stream = before.streams.video[0]
        copy = after.add_stream_from_template(stream)
        retag = BitStreamFilterContext("h264_metadata=matrix_coefficients=8", stream, copy)
        for packet in before.demux(stream):
            for tagged in retag.filter(packet) if packet.size else ():
                tagged.stream = copy
                after.mux(tagged)
    with pytest.raises(SegmentError, match="colour matrix 8") as error:
        first_frame(tmp_path / "ycgco.mp4", "auto")
    assert (error.value.failure.stage, error.value.failure.decoder) == ("decode", "pyav")
    pytest.importorskip("decord")
    with pytest.raises(SegmentError, match="colour matrix 8") as error:
        first_frame(tmp_path / "ycgco.mp4", "decord")
    assert error.value.failure.stage == "open"
