"""From a picture as it is coded to the one that a player shows: whole, turned or mirrored, with square pixels."""

from __future__ import annotations

from fractions import Fraction

import av
import av.filter
import numpy as np
import numpy.typing as npt
from av.buffer import Buffer

Matrix = tuple[int, int, int, int]
IDENTITY: Matrix = (1, 0, 0, 1)
SQUARE = Fraction(1)
# The matrix by degrees anticlockwise, where nothing is mirrored.
QUARTER_TURNS: dict[int, Matrix] = {90: (0, -1, 1, 0), 180: (-1, 0, 0, -1), 270: (0, 1, -1, 0)}

# Encoders that keep a frame's shape while they round its sides to even numbers state pixels like 640:639, which nobody
# sees: resampling for them would only cost sharpness. Standards go from 8:9 (Rec. 601) to 32:11 (ITU-T H.264, table
# E-1); what lies far outside is a mistake, and would ask for pictures of any size.
NEARLY_SQUARE = 0.01
MOST_OBLONG = 4


# A pixel is combed if it differs from both neighbours above and below by more than COMBED_LEVELS of 255 the same way,
# and a picture is if that holds of COMBED_SHARE of a block: the measures of FFmpeg's `fieldmatch`, and its defaults.
COMBED_LEVELS = 9
COMBED_BLOCK = 16
COMBED_SHARE = 80 / 256


def deinterlaced(picture: av.VideoFrame) -> av.VideoFrame:
    """A picture whose two fields show different moments, made anew of one of them; any other as it is.

    Fields are marked as such also where they show one moment (film, most cameras of today): there they stay together.
    The other field's lines are interpolated along edges (FFmpeg's `estdif`), from this picture alone: `yadif` looks at
    the neighbours, and what a face looks like would depend on where decoding began. Raises av.FFmpegError.
    """
    if not picture.interlaced_frame or not is_combed(picture):
        return picture
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_buffer(
            width=picture.width,
            height=picture.height,
            format=picture.format,
            time_base=Fraction(1, 1000),
        ),
        graph.add("estdif", "mode=frame:deint=interlaced"),
        graph.add("buffersink"),
    ).configure()
    graph.push(picture)
    graph.push(None)
    whole = graph.pull()
    assert isinstance(whole, av.VideoFrame)
    return whole


def is_combed(picture: av.VideoFrame) -> bool:
    """Whether the two fields of a picture show different moments, somewhere."""
    luma = picture.reformat(format="gray").to_ndarray().astype(np.int16)
    if luma.shape[0] < COMBED_BLOCK or luma.shape[1] < COMBED_BLOCK:
        return False
    line = luma[2:-2]
    above, below = line - luma[1:-3], line - luma[3:-1]
    combed = (np.minimum(above, below) > COMBED_LEVELS) | (np.maximum(above, below) < -COMBED_LEVELS)
    # Fine texture changes from line to line, too, but does not come back two lines on.
    combed &= np.abs(luma[:-4] + 4 * line + luma[4:] - 3 * (luma[1:-3] + luma[3:-1])) > 6 * COMBED_LEVELS
    rows, columns = (side // COMBED_BLOCK for side in combed.shape)
    blocks = combed[: rows * COMBED_BLOCK, : columns * COMBED_BLOCK]
    shares = blocks.reshape(rows, COMBED_BLOCK, columns, COMBED_BLOCK).mean(axis=(1, 3))
    return bool(shares.size and shares.max() > COMBED_SHARE)


def display_matrix(picture: av.VideoFrame) -> Matrix:
    """The signs of (a, b, c, d) of the frame's display matrix: x' = a x + c y, y' = b x + d y; y points down.

    The container's nine 32-bit fixed-point numbers are a, b, u, c, d, v, x, y, w (ISO 14496-12, section
    8.2.2). Identity if there is none, or if it does not turn by a multiple of 90 degrees.
    """
    try:
        data = picture.side_data.get("DISPLAYMATRIX")
    except (
        ValueError
    ):  # it carries data of a kind that PyAV has no name for, besides: FFmpeg tells the turn alone
        return QUARTER_TURNS.get(round(picture.rotation) % 360, IDENTITY)
    if data is None:
        return IDENTITY
    assert isinstance(data, Buffer)
    numbers = np.frombuffer(bytes(data), np.int32, 9)
    a, b, c, d = (int(sign) for sign in np.sign(numbers[[0, 1, 3, 4]]))
    straight = a and d and not b and not c
    quarter = b and c and not a and not d
    return (a, b, c, d) if straight or quarter else IDENTITY


class DisplayMatrices:
    """`display_matrix` of the pictures of one stream, each asked only where it is turned otherwise than the one before.

    PyAV's side data and their frame hold each other, so a frame whose side data are looked at stays in memory until
    Python's collector comes by: 90 of them, 600 MB at 1080p.
    """

    def __init__(self) -> None:
        self._last: tuple[int, Matrix] | None = None

    def of(self, picture: av.VideoFrame) -> Matrix:
        """The picture's display matrix."""
        if self._last is None or self._last[0] != picture.rotation:
            self._last = picture.rotation, display_matrix(picture)
        return self._last[1]


def turn(image: npt.NDArray[np.uint8], matrix: Matrix) -> npt.NDArray[np.uint8]:
    """Turn or mirror [h, w, 3] by a display matrix of signs; a view."""
    a, b, c, d = matrix
    if a == 0:
        image = image.swapaxes(0, 1)
        a, d = c, b
    return image[:: d or 1, :: a or 1]


def pixel_aspect(stream: av.VideoStream) -> Fraction:
    """Width over height of a coded pixel, the container's word before the codec's, as FFmpeg's players have it.

    1 where neither says (0:1), where it is as good as 1, and where it is absurd.
    """
    aspect = stream.sample_aspect_ratio or SQUARE
    if abs(aspect - 1) < NEARLY_SQUARE or not Fraction(1, MOST_OBLONG) <= aspect <= MOST_OBLONG:
        return SQUARE
    return aspect


def shown_size(width: int, height: int, aspect: Fraction, matrix: Matrix) -> tuple[int, int]:
    """(width, height) of a coded picture once it is turned and its pixels are square.

    The turned picture's height stays and its width is fitted, rounded and then made even, as ffplay does it
    (calculate_display_rect; `ffmpeg -vf scale=iw*sar:ih` gives the same up to a pixel of rounding).
    """
    if matrix[0] == 0:
        width, height, aspect = height, width, 1 / aspect
    if aspect == SQUARE:
        return width, height
    return max(2, round(width * aspect) // 2 * 2), height
