"""Which decoders there are, in which order they are tried, and whose result is used where they differ.

To add a decoder: a class that derives from `FrameSource`, and one line, in `DECODERS` here or in another package:

    [project.entry-points."lpff_ray.decoders"]
    mydecoder = "mypackage.decoder:MyDecoder"

It is used where it is asked for by name (`--decoder mydecoder`).
"""

from __future__ import annotations

from lpff_ray.decode.frame_source import FrameSource
from lpff_ray.errors import segment_error
from lpff_ray.registry import Registry
from lpff_ray.types import MediaKind, Stage

AUTO = "auto"
"""Asks for the first decoder of ORDER."""

DECODERS: Registry[type[FrameSource]] = Registry(
    "decoder",
    "lpff_ray.decoders",
    {
        "decord": "lpff_ray.decode.decord_source:DecordSource",
        "pyav": "lpff_ray.decode.pyav_source:PyavSource",
        "photo": "lpff_ray.decode.pictures.photo:PhotoSource",
        "animation": "lpff_ray.decode.pictures.animation:AnimationSource",
        "sequence": "lpff_ray.decode.pictures.sequence:SequenceSource",
    },
)

ORDER: dict[MediaKind, tuple[str, ...]] = {
    MediaKind.VIDEO: ("pyav", "decord"),
    MediaKind.PHOTO: ("photo",),
    MediaKind.ANIMATION: ("animation",),
    MediaKind.SEQUENCE: ("sequence",),
}
"""Decoders by kind of media, in the order in which they are tried on a segment that fails. The first one reads every
file, tells of damage, and has the last word where decoders deliver different numbers of frames. Why that is PyAV, and
where decord may read: docs/evidence/decoding.md#decord."""


class _VideoDecoders(Registry[type[FrameSource]]):
    """What `--decoder` takes: "auto", and every decoder that is not for pictures alone."""

    def names(self) -> list[str]:
        pictures = {name for kind, names in ORDER.items() if kind != MediaKind.VIDEO for name in names}
        return [AUTO, *(name for name in DECODERS if name not in pictures)]


VIDEO_DECODERS = _VideoDecoders(DECODERS.kind, DECODERS.group, {})


def last_resort(kind: str = MediaKind.VIDEO) -> str:
    """The decoder of this kind of media that has the last word, where others deliver fewer frames or fail."""
    return ORDER[MediaKind(kind)][0]


def alternative_to(name: str, kind: str = MediaKind.VIDEO) -> str:
    """The decoder to try after `name` has failed: the last resort, and after that the next one.

    A kind of media with a single decoder has no other: then it is that one again.
    """
    others = [other for other in ORDER[MediaKind(kind)] if other != name]
    return others[0] if others else name


def open_source(path: str, kind: str, decoder: str = AUTO, threads: int = 1, fps: float = 0.0) -> FrameSource:
    """Open a local video, photo or sequence of pictures.

    kind: a MediaKind. threads: decoding threads. fps: frames per second of media that do not say it, 0 if not known.
    decoder: a name in DECODERS, or "auto": the first of ORDER. A decoder that does not read this kind of media leaves
        it to that one: a run with `--decoder pyav` reads its photos all the same.
    Raises SegmentError (stage "open") if the file can not be opened with what was asked for; UserError for a decoder
    that is unknown or can not be imported.
    """
    kind = MediaKind(kind)
    if decoder != AUTO:
        chosen = DECODERS.load(decoder)
        if kind in chosen.kinds:
            return _open(chosen, path, threads, fps)
    return _open(DECODERS.load(last_resort(kind)), path, threads, fps)


def _open(decoder: type[FrameSource], path: str, threads: int, fps: float) -> FrameSource:
    reason = decoder.objection(path)
    if reason:
        message = f"{decoder.name} can not be relied on here: {reason}"
        raise segment_error(Stage.OPEN, message, decoder.name, "Unreliable")
    return decoder.at_rate(path, threads, fps)
