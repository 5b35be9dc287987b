"""Frames whose packets carry no time get one that fits between those of the others, and are told apart all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from clips import read_index, write_clip

from lpff_ray.decode import open_source
from lpff_ray.decode.container import open_video, packets_of
from lpff_ray.decode.frame_table import read_frame_table
from lpff_ray.decode.probe import probe

pytestmark = pytest.mark.timeout(60)

PACKET = 188


def without_times(data: bytes, chosen: Callable[[int], bool]) -> bytes:
    """An MPEG-TS whose chosen video frames, by their place in the file, have lost their PTS and DTS.

    ISO 13818-1, 2.4.3.2 (a packet of 188 bytes) and 2.4.3.6 (the header of a frame's PES packet).
    """
    stream = bytearray(data)
    place = 0
    for start in range(0, len(stream), PACKET):
        begins = stream[start + 1] & 0x40
        has_adaptation = stream[start + 3] & 0x20
        pes = start + 4 + (1 + stream[start + 4] if has_adaptation else 0)
        if not begins or stream[pes : pes + 3] != b"\0\0\1" or stream[pes + 3] & 0xF0 != 0xE0:
            continue
        if chosen(place):
            stream[pes + 7] &= 0x3F  # PTS_DTS_flags
            length = stream[pes + 8]
            stream[pes + 9 : pes + 9 + length] = b"\xff" * length
        place += 1
    assert place == 60
    return bytes(stream)


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize(
    "chosen",
    [
        lambda place: place % 5 == 3,
        lambda place: 20 < place < 24,
        lambda place: place == 0,
        lambda place: place > 56,
    ],
    ids=["every fifth", "some in the middle", "the first", "the last"],
)
def test_frames_between_others(tmp_path: Path, b_frames: int, chosen: Callable[[int], bool]) -> None:
    whole = write_clip(tmp_path / "whole.ts", 60, start_s=3.5, b_frames=b_frames)
    path = tmp_path / "holes.ts"
    path.write_bytes(without_times(whole.read_bytes(), chosen))
    table = read_frame_table(str(path))
    assert not table.timed
    assert np.abs(table.pts_ns - read_frame_table(str(whole)).pts_ns).max() < 1_000_000
    assert probe(str(path), path.name).first_pts_ns == table.pts_ns[0]
    with open_source(str(path), "video") as source:
        for wanted in (range(60), range(20, 40, 3), [0], [59]):
            frames = list(source.frames(wanted))
            assert [frame.index for frame in frames] == list(wanted)
            assert [read_index(frame.rgb) for frame in frames] == list(wanted)


def test_no_times_at_all_are_counted_from_zero(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.ts", 60, start_s=3.5)
    path = tmp_path / "none.ts"
    path.write_bytes(without_times(whole.read_bytes(), lambda place: True))
    table = read_frame_table(str(path))
    assert len(table) == 60
    assert table.pts_ns[0] == 0
    steps = np.diff(table.pts_ns)
    assert steps.min() > 0
    assert np.ptp(steps) <= 1e9 / 90_000 + 1, "even up to the rounding of a tick"


def test_a_stream_that_begins_on_the_way_ends_nothing(tmp_path: Path) -> None:
    """PyAV stumbles over a stream that MPEG-TS names only after its first part."""
    first = write_clip(tmp_path / "a.ts", 60)
    sound = tmp_path / "sound.ts"
    # Streams and programme of other numbers, and newer tables, of which the head of the joined file knows nothing.
    options = {
        "mpegts_start_pid": "512",
        "mpegts_pmt_start_pid": "4352",
        "mpegts_service_id": "2",
        "tables_version": "2",
    }
    with av.open(str(sound), "w", options=options) as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        for block in range(300):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16_000, block * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    path = tmp_path / "joined.ts"
    path.write_bytes(first.read_bytes() * 30 + sound.read_bytes())
    with open_video(str(path)) as container:
        stream = container.streams.video[0]
        list(packets_of(container, stream))
        assert len(container.streams) == 1, "PyAV knows nothing of the sound"
    assert len(read_frame_table(str(path))) == 60 * 30
