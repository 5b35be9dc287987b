"""What a probe says equals what demuxing and decoding find, and its refusals give a reason."""

from __future__ import annotations

import random
from pathlib import Path

import av
import numpy as np
import pytest
from clips import CLIPS, HIDDEN, paint, read_index, truncate, write_clip
from PIL import Image

from lpff_ray.decode import open_source
from lpff_ray.decode.formats import looks_like_media, not_read
from lpff_ray.decode.frame_table import read_frame_table
from lpff_ray.decode.probe import Unreadable, probe
from lpff_ray.plan.segment import segments
from lpff_ray.plan.video import Video
from lpff_ray.types import MediaKind, VideoStatus

pytestmark = pytest.mark.timeout(60)

# Their keyframes lie in an mp4 index by decoding times, with a delay that differs from keyframe to keyframe.
ROUGHLY = {"open_gop.mp4", "open_gop_hevc.mp4", "mpeg4_b.mp4", "uneven.mp4"}


@pytest.mark.parametrize("name", CLIPS)
def test_probe_equals_the_frame_table(clips: Path, name: str) -> None:
    path = clips / name
    info = probe(str(path), name)
    table = read_frame_table(str(path))
    assert info.kind == "video"
    assert info.frames_expected == len(table) == 60 - HIDDEN.get(name, 0)
    assert info.first_pts_ns == table.pts_ns[0]
    keyframes = table.pts_ns[table.is_keyframe]
    assert len(info.keyframe_pts_ns) == len(keyframes)
    tolerance = 0.2e9 if name in ROUGHLY else 0
    assert np.abs(np.array(info.keyframe_pts_ns) - keyframes).max() <= tolerance
    assert info.codec == CLIPS[name].get("codec", "vp9" if name.endswith("webm") else "h264")
    size = CLIPS[name].get("size", (64, 48))
    assert (info.width, info.height) == ((48, 64) if name in ("turned_90.mp4", "turned_270.mp4") else size)
    if "times" not in CLIPS[name]:
        assert info.fps == pytest.approx(25, rel=0.02)
        assert info.duration_s == pytest.approx(len(table) / 25, rel=0.02)


@pytest.mark.parametrize("name", ["b_frames.mp4", "vp9.webm", "late.ts", "mpeg4_b.avi"])
def test_probe_reads_binary_files(clips: Path, name: str) -> None:
    with (clips / name).open("rb") as file:
        assert probe(file, name) == probe(str(clips / name), name)


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_probe_of_a_photo(tmp_path: Path, ending: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / f"photo.{ending}"
    Image.fromarray(paint(1, 60, 40)).save(path, exif=exif)
    info = probe(str(path), path.name)
    assert (info.kind, info.width, info.height, info.frames_expected) == ("photo", 40, 60, 1)
    with path.open("rb") as file:
        assert probe(file, path.name) == info


def test_reasons(clips: Path, tmp_path: Path) -> None:
    def reason(name: str, data: bytes) -> str:
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(Unreadable) as error:
            probe(str(path), name)
        with pytest.raises(Unreadable) as same, path.open("rb") as file:
            probe(file, name)
        assert str(same.value) == str(error.value)
        return str(error.value)

    assert "empty" in reason("empty.mp4", b"")
    assert "not a video" in reason("text.mp4", b"just some notes\n" * 50)
    assert "not a video" in reason("list.mp4", b"#EXTM3U\n#EXT-X-VERSION:3\n/etc/hostname\n")
    assert "cut off" in reason("cut.mp4", truncate(clips / "plain.mp4", tmp_path / "x", 0.5).read_bytes())
    assert "no video stream" in reason("sound.mp4", (clips / "sound.mp4").read_bytes())
    assert "no video stream with frames" in reason("zero.mp4", (clips / "empty.mp4").read_bytes())
    assert "not a photo" in reason("text.jpg", b"just some notes\n" * 50)
    assert "neither" in reason("notes.txt", b"just some notes\n" * 50)
    assert "HEIC" in reason("photo.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500))


@pytest.mark.parametrize(
    ("container", "codec", "size", "shown"),
    [
        ("ivf", "libvpx-vp9", (64, 48), (64, 48)),
        ("yuv4mpegpipe", "rawvideo", (64, 48), (64, 48)),
        ("rm", "rv20", (176, 144), (176, 144)),
        ("dv", "dvvideo", (720, 576), (768, 576)),
        ("nut", "mpeg4", (64, 48), (64, 48)),
    ],
)
def test_rarer_containers(
    tmp_path: Path, container: str, codec: str, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    path = tmp_path / "download"
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=25, width=size[0], height=size[1], pix_fmt="yuv420p")
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(paint(index, *size), format="rgb24")
            file.mux(stream.encode(frame.reformat(format="yuv420p")))
        file.mux(stream.encode())
    info = probe(str(path), path.name if container != "nut" else "a.nut")
    assert (info.kind, info.container, info.frames_expected) == ("video", container, 10)
    assert (info.width, info.height) == shown
    with open_source(str(path), "video") as source:
        assert [read_index(frame.rgb) for frame in source.frames(range(10))] == list(range(10))


@pytest.mark.parametrize(
    ("name", "head", "reason"),
    [
        ("a.CR2", b"II*\0\x10\0\0\0CR", "develop it to JPEG"),
        ("a.cr3", b"\0\0\0\x18ftypcrx ", "develop it to JPEG"),
        ("a.jpg", b"\xff\x0a\xfa\x1f", "JPEG XL is not read"),
        ("a.m3u8", b"#EXTM3U\n", "a playlist is not read"),
        ("a.mp4.part", b"\0" * 99, "an unfinished download"),
    ],
)
def test_what_is_not_read_is_told_by_name(tmp_path: Path, name: str, head: bytes, reason: str) -> None:
    path = tmp_path / name
    path.write_bytes(head + bytes(600))
    with pytest.raises(Unreadable, match=reason):
        probe(str(path), name)
    assert not_read(b"\xff\xd8\xff", name) == "", "bytes go before names"


def test_a_video_is_known_by_its_bytes_whatever_its_name(clips: Path, tmp_path: Path) -> None:
    for name in CLIPS:
        kind = looks_like_media((clips / name).read_bytes()[:4096], "download")
        assert kind == ("" if name == "untimed.h264" else "video"), name
    for ending in ("jpg", "png", "webp", "bmp", "tif"):
        Image.fromarray(paint(1, 60, 40)).save(tmp_path / f"photo.{ending}")
        assert looks_like_media((tmp_path / f"photo.{ending}").read_bytes(), "download") == "photo"
    assert looks_like_media(b"hello", "CLIP.MP4") == "video"
    assert looks_like_media(b"hello", "notes.txt") == ""
    assert looks_like_media(b"RIFF\0\0\0\0WAVEfmt ", "sound.wav") == ""
    assert looks_like_media(b"", "jpg") == ""


@pytest.mark.data
def test_probe_is_exact_on_real_clips(shared_data: Path) -> None:
    paths = sorted([*(shared_data / "videos").glob("*.mp4"), *(shared_data / "videos").glob("*.mov")])
    assert len(paths) == 23
    for path in paths:
        info, table = probe(str(path), path.name), read_frame_table(str(path))
        assert info.frames_expected == len(table), path.name
        assert info.first_pts_ns == table.pts_ns[0], path.name
        assert list(info.keyframe_pts_ns) == table.pts_ns[table.is_keyframe].tolist(), path.name


@pytest.mark.parametrize("name", ["plain.mp4", "b_frames.mp4", "mpeg4_b.avi", "uneven.mkv", "late.ts"])
def test_no_number_of_a_header_is_believed_blindly(clips: Path, tmp_path: Path, name: str) -> None:
    """Whatever a flipped header says, a video is no longer than its frames, and takes no more memory."""
    rng = random.Random(name)
    sound = (clips / name).read_bytes()
    path = tmp_path / name
    for _ in range(60):
        data = bytearray(sound)
        for _ in range(3):
            # The header of most, and the index at the end of an mp4.
            at = rng.choice([rng.randrange(1500), -1 - rng.randrange(1500)])
            data[at] = rng.choice([0, 127, 128, 255, data[at] ^ 1 << rng.randrange(8)])
        path.write_bytes(data)
        try:
            info = probe(str(path), name)
        except Unreadable:
            continue
        fields = {key: value for key, value in vars(info).items() if key != "kind"}
        video = Video("v", "v", MediaKind.VIDEO, 1, VideoStatus.PLANNED, **fields)
        assert 0 < len(segments(video, 30)) <= info.frames_expected
        assert info.frames_expected <= 60


def test_a_second_video_is_told(clips: Path, tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(clips / "plain.mp4")) as source, av.open(str(path), "w") as written:
        stream = source.streams.video[0]
        copies = [written.add_stream_from_template(stream) for _ in range(2)]
        for packet in source.demux(stream):
            times = packet.pts, packet.dts
            for copy in copies if packet.size else ():
                packet.stream = copy
                packet.pts, packet.dts = times
                packet.time_base = stream.time_base
                written.mux(packet)
    info = probe(str(path), path.name)
    assert info.frames_expected == 60
    assert info.reason == "it holds 2 videos: only the one that players show is looked at"


@pytest.mark.parametrize(
    "movflags", ["frag_keyframe", "frag_keyframe+empty_moov", "faststart", "frag_keyframe+global_sidx"]
)
def test_fragments_are_counted_in_files_and_file_objects(tmp_path: Path, movflags: str) -> None:
    path = write_clip(
        tmp_path / "a.mp4", 60, b_frames=2, size=(160, 120), noise=20, muxer_options={"movflags": movflags}
    )
    table = read_frame_table(str(path))
    with path.open("rb") as file:
        for opened in (str(path), file):
            info = probe(opened, path.name)
            assert info.frames_expected == len(table) == 60
            assert list(info.keyframe_pts_ns) == table.pts_ns[table.is_keyframe].tolist()
            assert info.first_pts_ns == table.pts_ns[0]


@pytest.mark.parametrize("name", ["mpeg4_b.avi", "plain.mp4", "untimed.h264", "late.ts"])
def test_a_file_object_is_as_good_as_a_path(clips: Path, name: str) -> None:
    with (clips / name).open("rb") as file:
        assert probe(file, name) == probe(str(clips / name), name)
