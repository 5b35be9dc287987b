"""Which decoders there are, in which order they are tried, and whose result is used where they differ.

To add a decoder: a class that derives from `FrameSource`, and one line, in `DECODERS` here or in another package:

    [project.entry-points."lpff_ray.decoders"]
    mydecoder = "mypackage.decoder:MyDecoder"

It is used where it is asked for by name (`--decoder mydecoder`). Only those in `ORDER` are used with `--decoder auto`.
"""

from __future__ import annotations

from lpff_ray.decode.frame_source import FrameSource
from lpff_ray.errors import SegmentError, segment_error
from lpff_ray.registry import Registry
from lpff_ray.types import MediaKind, Stage

AUTO = "auto"
"""Asks for the first decoder of ORDER that can be relied on for the file."""

DECODERS: Registry[type[FrameSource]] = Registry(
    "decoder",
    "lpff_ray.decoders",
    {
        "decord": "lpff_ray.decode.decord_source:DecordSource",
        "pyav": "lpff_ray.decode.pyav_source:PyavSource",
        "photo": "lpff_ray.decode.pictures.photo:PhotoSource",
        "animation": "lpff_ray.decode.pictures.animation:AnimationSource",
    },
)

ORDER: dict[MediaKind, tuple[str, ...]] = {
    MediaKind.VIDEO: ("decord", "pyav"),
    MediaKind.PHOTO: ("photo",),
    MediaKind.ANIMATION: ("animation",),
}
"""Decoders by kind of media, in the order in which they are tried. The last one is the last resort: if decoders
deliver different numbers of frames, its result is used. Why decord comes first, and only where its `objection` finds
nothing: docs/evidence/decoding.md#decord."""


class _VideoDecoders(Registry[type[FrameSource]]):
    """What `--decoder` takes: "auto", and every decoder that is not for pictures alone."""

    def names(self) -> list[str]:
        pictures = ORDER[MediaKind.PHOTO] + ORDER[MediaKind.ANIMATION]
        return [AUTO, *(name for name in DECODERS if name not in pictures)]


VIDEO_DECODERS = _VideoDecoders(DECODERS.kind, DECODERS.group, {})


def last_resort(kind: str = MediaKind.VIDEO) -> str:
    """The decoder tried last for this kind of media, whose result is used where others deliver fewer frames."""
    return ORDER[MediaKind(kind)][-1]


def alternative_to(name: str, kind: str = MediaKind.VIDEO) -> str:
    """The decoder to try after `name` has failed: the last resort, and after that the one before it.

    A kind of media with a single decoder has no other: then it is that one again.
    """
    others = [other for other in reversed(ORDER[MediaKind(kind)]) if other != name]
    return others[0] if others else name


def open_source(path: str, kind: str, decoder: str = AUTO, threads: int = 1) -> FrameSource:
    """Open a local video or photo.

    kind: a MediaKind. threads: decoding threads.
    decoder: a name in DECODERS, or "auto": the first of ORDER that can be relied on and opens the file. The choice
        rests on the file alone, so that it is the same for every segment. A decoder that does not read this kind of
        media leaves it to those of ORDER: a run with `--decoder pyav` reads its photos all the same.
    Raises SegmentError (stage "open") if the file can not be opened with what was asked for; UserError for a decoder
    that is unknown or can not be imported.
    """
    kind = MediaKind(kind)
    if decoder != AUTO:
        chosen = DECODERS.load(decoder)
        if kind in chosen.kinds:
            return _open(chosen, path, threads)
    *first, last = ORDER[kind]
    for name in first:
        try:
            return _open(DECODERS.load(name), path, threads)
        except SegmentError:  # the next one may read it
            continue
    return _open(DECODERS.load(last), path, threads)


def _open(decoder: type[FrameSource], path: str, threads: int) -> FrameSource:
    reason = decoder.objection(path)
    if reason:
        message = f"{decoder.name} can not be relied on here: {reason}"
        raise segment_error(Stage.OPEN, message, decoder.name, "Unreliable")
    return decoder(path, threads)
