"""Members of archives open by their URI, as by their name."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from lpff_ray.storage.opening import opened


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
