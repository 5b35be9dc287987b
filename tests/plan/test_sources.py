"""What each kind of SRC names, and what a wrong one says."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import fsspec
import pytest
from clips import write_clip
from servers import web_server

from lpff_ray.errors import UserError
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.planner import plan_videos
from lpff_ray.plan.sources import expand
from lpff_ray.storage.local_copy import local_copy
from lpff_ray.storage.opening import opened

ODD_NAMES = [
    "a b.mp4",
    "it's.mp4",
    'say "hi".mp4',
    "100%.mp4",
    "a%20b.mp4",
    "#1.mp4",
    "[x] y.mp4",
    "寸 é.mp4",
    "q?.mp4",
]


def _fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def _uris(*srcs: str | Path) -> list[str]:
    return [source.uri for source in expand([str(src) for src in srcs])]


def test_folder_lists_every_file_but_hidden_ones(tmp_path: Path) -> None:
    _fill(tmp_path, "b.mp4", "a/z.jpg", "a/readme.txt", ".hidden.mp4", ".cache/x.mp4", "list.csv")
    assert _uris(tmp_path) == [
        str(tmp_path / name) for name in ("a/readme.txt", "a/z.jpg", "b.mp4", "list.csv")
    ]


def test_folder_follows_links_once_and_keeps_broken_ones(tmp_path: Path) -> None:
    _fill(tmp_path / "far", "x.mp4")
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "linked").symlink_to(tmp_path / "far")
    (tmp_path / "top" / "loop").symlink_to(tmp_path / "top")
    (tmp_path / "top" / "gone.mp4").symlink_to(tmp_path / "nowhere")
    assert _uris(tmp_path / "top") == [str(tmp_path / "top" / name) for name in ("gone.mp4", "linked/x.mp4")]


def test_relative_and_file_uris_become_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(tmp_path, "a b.mp4")
    monkeypatch.chdir(tmp_path)
    path = str(tmp_path / "a b.mp4")
    assert _uris("a b.mp4", "./a b.mp4", f"file://{path}", Path(path).as_uri()) == [path]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names(tmp_path: Path, name: str) -> None:
    _fill(tmp_path, name)
    assert _uris(tmp_path / name) == _uris(tmp_path) == _uris(tmp_path / "*.mp4") == [str(tmp_path / name)]


def test_a_literal_file_wins_over_a_glob_and_a_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fill(tmp_path, "clip[1].mp4", "clip1.mp4", "s3:/x.mp4")
    assert _uris(tmp_path / "clip[1].mp4") == [str(tmp_path / "clip[1].mp4")]
    monkeypatch.chdir(tmp_path)
    assert _uris("s3://x.mp4") == [str(tmp_path / "s3:/x.mp4")]
    assert _uris(tmp_path / "clip[12].mp4") == [str(tmp_path / "clip1.mp4")]


def test_globs(tmp_path: Path) -> None:
    _fill(tmp_path, "[set] 1/a.mp4", "[set] 1/b.mov", "[set] 1/deep/er/c.mp4", "[set] 1/deep/.d.mp4")
    folder = tmp_path / "[set] 1"
    assert _uris(folder / "*.mp4") == [str(folder / "a.mp4")]
    assert _uris(folder / "*") == [str(folder / "a.mp4"), str(folder / "b.mov")]
    assert _uris(folder / "**" / "*.mp4") == [str(folder / "a.mp4"), str(folder / "deep/er/c.mp4")]


def test_order_is_that_of_the_arguments_and_nothing_is_listed_twice(tmp_path: Path) -> None:
    _fill(tmp_path, "a.mp4", "b.mp4", "c.mp4")
    names = _uris(tmp_path / "c.mp4", tmp_path, tmp_path / "*.mp4")
    assert names == [str(tmp_path / name) for name in ("c.mp4", "a.mp4", "b.mp4")]


def test_a_manifest_is_read_only_where_it_is_named(tmp_path: Path) -> None:
    _fill(tmp_path, "a.mp4")
    (tmp_path / "list.txt").write_text("a.mp4\ngone.mp4\n")
    assert _uris(tmp_path / "list.txt") == [str(tmp_path / "a.mp4"), str(tmp_path / "gone.mp4")]
    assert _uris(tmp_path / "*.txt") == [str(tmp_path / "list.txt")]
    assert _uris(tmp_path) == _uris(tmp_path / "*") == [str(tmp_path / "a.mp4"), str(tmp_path / "list.txt")]


def test_clips_of_one_file_are_all_kept(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("uri,start_s,end_s\na.mp4,0,1\na.mp4,1,2\na.mp4,0,1\n")
    assert [(source.start_s, source.end_s) for source in expand([str(tmp_path / "list.csv")])] == [
        (0, 1),
        (1, 2),
    ]


@pytest.mark.parametrize(
    ("src", "said"),
    [
        ("gone.mp4", "no such file"),
        ("gone/*.mp4", "matches no file"),
        ("empty", "holds no files"),
        ("memory://gone/x.mp4", "no such file"),
        ("memory://gone/*.mp4", "matches no file"),
        ("zip://*.mp4::gone.zip", "no such file"),
        ("zip://*.mp4::broken.zip", "not a zip file"),
        ("zip://gone.mp4::good.zip", "no such file"),
        ("zip://*.mp4::good.zip", "matches no file"),
        ("nope://x/y.mp4", "nope"),
        ("reference://x/y.mp4", "reference"),
        ("jupyter://x/y.mp4", "jupyter"),
        ("http://127.0.0.1:9/x.mp4", "Connect call failed"),
        ("gs://bucket/x.mp4", "pip install 'lpff-ray[gcs]'"),
    ],
)
def test_what_does_not_exist_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, src: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.zip").write_text("not an archive")
    with zipfile.ZipFile(tmp_path / "good.zip", "w") as archive:
        archive.writestr("readme.md", "hello")
    with pytest.raises(UserError) as caught:
        expand([src])
    assert str(caught.value).startswith(src)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_source_is_refused() -> None:
    with pytest.raises(UserError, match="empty source"):
        expand([""])


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_cannot_be_listed_stands_for_itself(tmp_path: Path) -> None:
    _fill(tmp_path, "a.mp4", "locked/b.mp4")
    (tmp_path / "locked").chmod(0)
    try:
        assert _uris(tmp_path) == [str(tmp_path / "a.mp4"), str(tmp_path / "locked")]
    finally:
        (tmp_path / "locked").chmod(0o700)


def test_memory_folder_glob_and_file() -> None:
    filesystem = fsspec.filesystem("memory")
    for name in ("/set/b.mp4", "/set/a/c.mp4", "/set/.hidden.mp4", "/set/n.txt"):
        filesystem.pipe(name, b"x")
    try:
        every = ["memory:///set/a/c.mp4", "memory:///set/b.mp4", "memory:///set/n.txt"]
        assert _uris("memory://set") == _uris("memory://set/**") == every
        assert _uris("memory://set/*.mp4") == ["memory:///set/b.mp4"]
        assert _uris("memory://set/b.mp4") == ["memory://set/b.mp4"]
        filesystem.pipe("/set/list.csv", b"uri\nb.mp4\n../other.mp4\n/local.mp4\ns3://b/x.mp4\n")
        assert _uris("memory://set/list.csv") == [
            "memory://set/b.mp4", "memory://other.mp4", "/local.mp4", "s3://b/x.mp4"
        ]  # fmt: skip
    finally:
        filesystem.rm("/set", recursive=True)


def test_zip_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "set 1.zip", "w") as archive:
        for name in ("b.mp4", "d/a é.mp4", "d/n.txt", "__MACOSX/._b.mp4"):
            archive.writestr(name, name)
        archive.writestr("d/list.txt", "a é.mp4\n")
    monkeypatch.chdir(tmp_path)
    tail = f"::{tmp_path / 'set 1.zip'}"
    assert _uris("zip://*.mp4::set 1.zip") == [f"zip://b.mp4{tail}"]
    assert _uris("zip://**/*.mp4::set 1.zip") == [f"zip://b.mp4{tail}", f"zip://d/a é.mp4{tail}"]
    assert _uris("zip://b.mp4::set 1.zip") == [f"zip://b.mp4{tail}"]
    assert _uris("zip://d/list.txt::set 1.zip") == [f"zip://d/a é.mp4{tail}"]
    assert _uris("zip://::set 1.zip") == [
        f"zip://{name}{tail}" for name in ("b.mp4", "d/a é.mp4", "d/list.txt", "d/n.txt")
    ]


def test_web_addresses(tmp_path: Path) -> None:
    _fill(tmp_path, "clips/a.mp4", "clips/b.mp4", "clips/n.md", "clips/deep/c.mp4")
    (tmp_path / "clips" / "list.csv").write_text("uri\na.mp4\ndeep/c.mp4\n")
    with web_server(tmp_path, ranges=False) as host:
        assert _uris(f"{host}/clips/*.mp4") == [f"{host}/clips/a.mp4", f"{host}/clips/b.mp4"]
        assert _uris(f"{host}/clips/a.mp4?token=a*b") == [f"{host}/clips/a.mp4?token=a*b"]
        assert _uris(f"{host}/clips/list.csv?v=1") == [f"{host}/clips/a.mp4", f"{host}/clips/deep/c.mp4"]
        assert _uris(f"{host}/clips/") == [
            f"{host}/clips/{name}" for name in ("a.mp4", "b.mp4", "deep/c.mp4", "list.csv", "n.md")
        ]
        with pytest.raises(UserError, match="no such file"):
            expand([f"{host}/clips/gone.mp4"])


def test_a_manifest_whose_package_is_missing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    (tmp_path / "list.txt").write_text("a.mp4\ngs://bucket/x.mp4\n")
    with pytest.raises(UserError, match=r"list\.txt: gs://: .*pip install 'lpff-ray\[gcs\]'"):
        expand([str(tmp_path / "list.txt")])


def test_what_no_package_reads_is_a_row_of_a_manifest(tmp_path: Path) -> None:
    lines = ["a.mp4", "nope://x.mp4", "reference://y.mp4", "jupyter://z.mp4", "memory://gone.mp4"]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    write_clip(tmp_path / "a.mp4", 5)
    videos = plan_videos(expand([str(tmp_path / "list.txt")]))
    assert [video.status for video in videos] == ["planned", *["unreadable"] * 4]
    assert all(video.reason and "\n" not in video.reason for video in videos[1:])


def test_s3(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="no credentials: set AWS_PROFILE"):
        expand(["s3://bucket/x.mp4"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    fsspec.filesystem("s3").clear_instance_cache()
    bucket = fsspec.filesystem("s3")
    bucket.mkdir("bucket")
    bucket.pipe("bucket/odd/a::b.mp4", b"one")
    bucket.pipe("bucket/odd/c::s3:/d.mp4", b"other")
    assert _uris("s3://bucket/odd") == ["s3://bucket/odd/a::b.mp4", "s3://bucket/odd/c::s3:/d.mp4"]
    assert _uris("s3://bucket/odd/a::b.mp4") == ["s3://bucket/odd/a::b.mp4"]
    with opened("s3://bucket/odd/a::b.mp4") as (file, size):
        assert (file.read(), size) == (b"one", 3)
    with local_copy("s3://bucket/odd/c::s3:/d.mp4") as path:
        assert Path(path).read_bytes() == b"other"
    for name in ("a [1].mp4", "b#%20.mp4", "deep/c.mp4", "deep/.d.mp4", "list.jsonl"):
        bucket.pipe(f"bucket/set/{name}", b'{"uri": "deep/c.mp4"}')
    files = [f"s3://bucket/set/{name}" for name in ("a [1].mp4", "b#%20.mp4", "deep/c.mp4", "list.jsonl")]
    assert _uris("s3://bucket/set") == _uris("s3://bucket/set/**") == files
    assert _uris("s3://bucket/set/*.mp4") == files[:2]
    assert _uris(files[0], files[1]) == files[:2]
    assert _uris("s3://bucket/set/list.jsonl") == [files[2]]
    assert expand([files[0]]) == [Source(files[0])]
    with pytest.raises(UserError, match="no such file"):
        expand(["s3://bucket/set/gone.mp4"])
    with pytest.raises(UserError, match="matches no file"):
        expand(["s3://no-such-bucket/*.mp4"])
