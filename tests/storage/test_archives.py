"""Members of archives open by their URI, as by their name."""

from __future__ import annotations

import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from lpff_ray.errors import UserError
from lpff_ray.storage.archives import UNPACKED_VARIABLE
from lpff_ray.storage.opening import opened


def test_what_would_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.bmp", bytes(5_000_000))
        packed.writestr("b.mp4", os.urandom(5_000_000))
    with opened(f"zip://a.bmp::{tmp_path}/bomb.zip") as (_, size):
        assert size == 5_000_000, "a black picture is no bomb"
    monkeypatch.setenv(UNPACKED_VARIABLE, "0.001")
    with opened(f"zip://b.mp4::{tmp_path}/bomb.zip") as (_, size):
        assert size == 5_000_000, "nor is what packs as pictures do"
    with (
        pytest.raises(OSError, match=r"would unpack to 0.0 GB: set LPFF"),
        opened(f"zip://a.bmp::{tmp_path}/bomb.zip"),
    ):
        pass
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz") as tarred:
        (tmp_path / "a.bmp").write_bytes(bytes(5_000_000))
        tarred.add(tmp_path / "a.bmp", "a.bmp")
    with pytest.raises(OSError, match="would unpack to"), opened(f"tar://a.bmp::{tmp_path}/bomb.tar.gz"):
        pass
    monkeypatch.setenv(UNPACKED_VARIABLE, "much")
    with pytest.raises(UserError, match="=much"), opened(f"zip://a.bmp::{tmp_path}/bomb.zip"):
        pass


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("name", ["a.mp4", "d/a b%20é#1.mp4", "d/e/f.mp4"])
def test_members(tmp_path: Path, kind: str, name: str) -> None:
    (tmp_path / "source").write_bytes(b"content")
    archive = tmp_path / f"set.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as packed:
            packed.write(tmp_path / "source", name)
    else:
        with tarfile.open(archive, "w") as packed:
            packed.add(tmp_path / "source", name)
    with opened(f"{kind}://{name}::{archive}") as (file, size):
        assert (file.read(), size) == (b"content", 7)
    with pytest.raises(OSError), opened(f"{kind}://{name}.gone::{archive}"):  # noqa: PT011
        pass
