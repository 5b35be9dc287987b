"""A manifest's identities, from videos to tracks to `dedupe`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from skimage.data import astronaut

import lpff_ray


def test_a_manifest_names_people_and_dedupe_believes_it(tmp_path: Path) -> None:
    """Two names for one person's photos make two people; one name for a photo and its blurred mirror makes one."""
    portrait = astronaut()[:300, 60:400]
    pictures = {"a": portrait, "b": portrait[:, ::-1], "c": portrait[4:, 6:]}
    for name, pixels in pictures.items():
        Image.fromarray(np.ascontiguousarray(pixels)).save(tmp_path / f"{name}.png")
    manifest = tmp_path / "people.csv"
    manifest.write_text("uri,identity\na.png,Eileen\nb.png,Eileen\nc.png,Somebody else\n")
    named, unnamed = str(tmp_path / "named"), str(tmp_path / "unnamed")
    lpff_ray.mine(str(manifest), named, device="cpu")
    lpff_ray.mine([str(tmp_path / f"{name}.png") for name in pictures], unnamed, device="cpu")
    assert lpff_ray.dedupe(unnamed, device="cpu").identities == 1
    assert lpff_ray.dedupe(named, device="cpu").identities == 2
    faces = lpff_ray.scan(named).select("face_id", "uri").collect()
    marks = faces.join(lpff_ray.dedupe_marks(named), on="face_id")
    who = {row["uri"][-5]: row["identity_id"] for row in marks.iter_rows(named=True)}
    assert who["a"] == who["b"] != who["c"]
