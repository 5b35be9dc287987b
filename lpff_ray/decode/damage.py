"""Which frames are damaged, by what the decoder says of them.

FFmpeg repairs damaged pictures with pieces of their neighbours and goes on; such pictures must not be measured. Four
signs are heeded: an error while decoding, a frame flagged corrupt, a report that errors were concealed or that a
reference is missing, and a frame that leans on one of these: from the first sign to the next keyframe every frame is
damaged.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import av
from av import logging as av_logging

# Decoders that keep silent about a slice that breaks off, unless told to fail.
SILENT = {"hevc", "mjpeg"}

# FFmpeg's decoders conceal errors and flag the frame, but the flag (AVFrame.decode_error_flags) does not reach Python;
# the report of the same moment does: `error_resilience.c`, `h264_refs.c`, `hevc/refs.c`.
SIGNS = (
    "concealing ",
    "Missing reference picture",
    "reference picture missing",
    "Could not find ref with POC",
    "Error constructing the frame RPS",
)


def decoder_options(codec: str) -> dict[str, str]:
    """Options with which FFmpeg's decoder of `codec` tells of damage; sound streams decode all the same."""
    return {"err_detect": "explode"} if codec in SILENT else {}


def decode(context: av.VideoCodecContext, packet: av.Packet | None) -> tuple[list[av.VideoFrame], bool]:
    """The pictures that come out for a packet (None: at the end), and whether the decoder reports damage in it.

    For decoders that work in the calling thread. Raises av.FFmpegError for what can not be decoded at all.
    """
    with reports() as reported:
        pictures = context.decode(packet)
    return pictures, _tells_damage(reported)


def reports() -> av_logging.Capture:
    """A context that gathers what FFmpeg reports in this thread: a list of (level, name of what reports, message)."""
    if av_logging.get_skip_repeated():
        av_logging.set_skip_repeated(False)  # the same report of another frame, or in another thread, is news
    level = av_logging.get_level()
    if level is None or level < av_logging.INFO:
        # What nobody gathers stays silent, as without this, unless the program listens itself.
        logger = logging.getLogger("libav")
        if level is None and not logger.handlers:
            logger.addHandler(logging.NullHandler())
            logger.propagate = False
        av_logging.set_level(av_logging.INFO)
    return av_logging.Capture(local=True)


def demuxing_failure(reported: Sequence[tuple[int, str, str]], demuxer: str) -> str:
    """What a demuxer, by FFmpeg's name of it, said of bytes that it could not read; "" if nothing."""
    errors = [message for level, name, message in reported if level <= av_logging.ERROR and name == demuxer]
    return " ".join(errors[0].split()).rstrip(".")[:100] if errors else ""


def _tells_damage(reports: Sequence[tuple[int, str, str]]) -> bool:
    return any(sign in message for _, _, message in reports for sign in SIGNS)


class Damage:
    """Which frames lean on damaged packets: in decoding order, from the damage to the next keyframe.

    Frames that come after that keyframe in decoding order but are shown before it lean on the damaged side too.
    """

    def __init__(self) -> None:
        # first damaged position, position and frame index of the keyframe after it
        self._spans: list[tuple[int, int, int]] = []
        self._open_since: int | None = None

    def begin(self, position: int) -> None:
        """The packet at this position, in decoding order, is damaged."""
        if self._open_since is None or position < self._open_since:
            self._open_since = position

    def reach_keyframe(self, position: int, index: int) -> None:
        """The packet at this position is the keyframe of frame `index`."""
        if self._open_since is not None:
            self._spans.append((self._open_since, position, index))
            self._open_since = None

    def covers(self, position: int, index: int) -> bool:
        """Whether frame `index`, of the packet at `position`, is damaged, as far as is known."""
        if self._open_since is not None and position >= self._open_since:
            return True
        return any(
            first <= position and (position < key_position or index < key_index)
            for first, key_position, key_index in self._spans
        )
