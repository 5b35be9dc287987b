"""A decoder that delivers less than was asked for: the last resort has the last word, for mining and exports alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from clips import read_index

from lpff_ray.decode import Frame, passes
from lpff_ray.decode.frame_source import check_indices
from lpff_ray.decode.pyav_source import PyavSource
from lpff_ray.decode.registry import DECODERS
from lpff_ray.errors import SegmentError, segment_error
from lpff_ray.exports.video import OpenedVideo

WANTED = range(0, 60, 6)


class Forgetful(PyavSource):
    """Leaves out the frames from `gap` on that are below 40; then fails, if it is to."""

    name = "forgetful"
    shortfall_is_final = False
    gap: ClassVar[int] = 20
    fails: ClassVar[bool] = False

    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        wanted = check_indices(indices, len(self.table))
        yield from super().frames([index for index in wanted if index < self.gap])
        if self.fails:
            raise segment_error("decode", "enough", self.name)
        yield from super().frames([index for index in wanted if index >= max(self.gap, 40)])


class Faithful(Forgetful):
    name = "faithful"
    shortfall_is_final = True


class Confused(PyavSource):
    name = "confused"

    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        yield from super().frames([index + 1 for index in indices])


@pytest.fixture
def clip(clips: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    ours = {kind.name: f"{__name__}:{kind.__name__}" for kind in (Forgetful, Faithful, Confused)}
    monkeypatch.setattr(DECODERS, "_ours", DECODERS._ours | ours)
    return str(clips / "plain.mp4")


def read(clip: str, decoder: str, **options: bool) -> list[tuple[str, str, list[int], list[int]]]:
    """Of each pass: decoder, note, the numbers that its frames show, and what is missing."""
    found = []
    for decoding in passes(clip, "video", decoder, **options):
        shown = [read_index(frame.rgb) for frame in decoding.frames(WANTED)]
        assert set(decoding.seconds) == {"open", "decode"}
        found.append((decoding.decoder, decoding.note, shown, decoding.missing))
    return found


def test_a_shortfall_is_made_up_by_the_last_resort(clip: str) -> None:
    first = ("forgetful", "", [0, 6, 12, 18, 42, 48, 54], [24, 30, 36])
    assert read(clip, "forgetful") == [
        first,
        ("pyav", "forgetful delivered 7 of 10 frames", list(WANTED), []),
    ]
    assert read(clip, "forgetful", fallback=False) == [first]


def test_a_final_shortfall_is_believed(clip: str) -> None:
    assert read(clip, "faithful") == [("faithful", "", *read(clip, "forgetful")[0][2:])]


def test_all_that_was_wanted_needs_no_second_pass(clip: str) -> None:
    assert [decoding[0] for decoding in read(clip, "auto")] in (["decord"], ["pyav"])


def test_an_error_ends_the_passes(clip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Forgetful, "fails", True)
    with pytest.raises(SegmentError, match="enough"):
        read(clip, "forgetful")


@pytest.mark.parametrize("fails", [False, True])
def test_an_export_asks_only_for_what_is_missing(
    clip: str, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """Also where the first decoder gave up: some frames are better than none."""
    monkeypatch.setattr(Forgetful, "fails", fails)
    asked: list[list[int]] = []
    frames = PyavSource.frames

    def noted(self: PyavSource, indices: Sequence[int]) -> Iterator[Frame]:
        if type(self) is PyavSource:
            asked.append(list(indices))
        return frames(self, indices)

    monkeypatch.setattr(PyavSource, "frames", noted)
    video = OpenedVideo(video_id="v", uris=(clip,), kind="video", path=clip, uri=clip, decoder="forgetful")
    shown = [read_index(frame.rgb) for frame in video.frames(WANTED)]
    assert sorted(shown) == list(WANTED)
    assert asked == [[24, 30, 36, 42, 48, 54] if fails else [24, 30, 36]]
    assert video.lost == []
    assert set(video.seconds) == {"open", "decode"}

    lossy = OpenedVideo(video_id="v", uris=(clip,), kind="video", path=clip, uri=clip, decoder="faithful")
    assert len(list(lossy.frames(WANTED))) + len(lossy.lost) == len(WANTED)
    assert set(lossy.lost) >= {24, 30, 36}


def test_a_frame_that_nobody_asked_for_is_an_error(clip: str) -> None:
    with pytest.raises(SegmentError, match="frame 1 was delivered unasked, or twice"):
        read(clip, "confused")
