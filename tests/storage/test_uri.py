"""What users write, as URIs."""

from __future__ import annotations

from pathlib import Path

from lpff_ray.storage.uri import absolute, file_name


def test_absolute(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert absolute("a/../b c.mp4", folder) == f"{folder}/b c.mp4"
    assert absolute("s3://b/x.mp4", folder) == "s3://b/x.mp4"
    assert absolute("simplecache::s3://b/x.mp4", folder) == "s3://b/x.mp4"
    assert absolute("zip://m.mp4::a.zip", folder) == f"zip://m.mp4::{folder}/a.zip"
    assert absolute("a::b.mp4", folder) == f"{folder}/a::b.mp4"


def test_file_name() -> None:
    assert file_name("/a/b::c?d#e.mp4") == "b::c?d#e.mp4"
    assert file_name("https://host/a/b.mp4?token=x/y") == "b.mp4"
    assert file_name("zip://d/a.mp4::s3://b/c.zip") == "a.mp4"
    assert file_name("s3://b/what?.mp4") == "what?.mp4"
