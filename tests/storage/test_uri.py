"""What users write, as URIs."""

from __future__ import annotations

from pathlib import Path

from lpff_ray.storage.uri import absolute, file_name, split_chain


def test_absolute(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert absolute("a/../b c.mp4", folder) == f"{folder}/b c.mp4"
    assert absolute("s3://b/x.mp4", folder) == "s3://b/x.mp4"
    assert absolute("simplecache::s3://b/x.mp4", folder) == "s3://b/x.mp4"
    assert absolute("zip://m.mp4::a.zip", folder) == f"zip://m.mp4::{folder}/a.zip"
    assert absolute("a::b.mp4", folder) == f"{folder}/a::b.mp4"
    assert absolute("s3://b/a::c.mp4", folder) == "s3://b/a::c.mp4"
    assert absolute("zip://m::n.mp4::a.zip", folder) == f"zip://m::n.mp4::{folder}/a.zip"


def test_only_archives_lead_on() -> None:
    assert split_chain("zip://m.mp4::s3://b/a::b.zip") == ("zip://m.mp4", "s3://b/a::b.zip")
    assert split_chain("zip://m::n.mp4::/a/b::c.zip") == ("zip://m::n.mp4", "/a/b::c.zip")
    assert split_chain("zip://::https://host/a.zip") == ("zip://", "https://host/a.zip")
    for uri in ("s3://b/a::b.mp4", "s3://b/a::/b.mp4", "/a::b", "zip://a"):
        assert split_chain(uri) == (uri, "")


def test_file_name() -> None:
    assert file_name("/a/b::c?d#e.mp4") == "b::c?d#e.mp4"
    assert file_name("https://host/a/b.mp4?token=x/y") == "b.mp4"
    assert file_name("zip://d/a.mp4::s3://b/c.zip") == "a.mp4"
    assert file_name("s3://b/what?.mp4") == "what?.mp4"
    assert file_name("s3://b/a::c.mp4") == "a::c.mp4"
