"""Thresholds for identities, measured on photos of known people."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command import call, complaint
from PIL import Image
from skimage.data import astronaut

import lpff_ray


@pytest.mark.data
def test_the_suggested_distance_tells_people_apart(shared_data: Path, tmp_path: Path) -> None:
    for person in sorted((shared_data / "identity" / "lfw10").iterdir())[:3]:
        (tmp_path / person.name).mkdir()
        for photo in sorted(person.glob("*.jpg"))[:3]:
            shutil.copy(photo, tmp_path / person.name)
    Image.new("RGB", (90, 90)).save(tmp_path / person.name / "nobody.png")
    done = call("evaluate", "identity", tmp_path, "--json")
    found = json.loads(done.stdout)
    assert (found["people"], found["photos"], found["without_a_face"]) == (3, 10, 1)
    assert (found["same_pairs"], found["different_pairs"], found["auc"]) == (9, 27, 1.0)
    assert 0.3 < found["identity_distance"] < 0.6
    assert found["false_accepts_measured"] == pytest.approx(1 / 27)
    careful = found["steps"][0]
    assert careful["distance"] == pytest.approx(0.7 * found["identity_distance"], abs=1e-3)
    assert careful["different"] == 0
    assert [step["same"] for step in found["steps"]] == sorted(step["same"] for step in found["steps"])


def test_folders_that_can_not_be_measured_are_named(tmp_path: Path) -> None:
    assert "not a local folder" in complaint(call("evaluate", "identity", tmp_path / "none"))
    with pytest.raises(lpff_ray.UserError, match=r"no PERSON/PHOTO\.jpg"):
        lpff_ray.evaluate_identity(str(tmp_path), "dlib-resnet")
    (tmp_path / "one").mkdir()
    Image.fromarray(astronaut()).save(tmp_path / "one" / "a.png")
    Image.fromarray(astronaut()[:, ::-1]).save(tmp_path / "one" / "b.png")
    with pytest.raises(lpff_ray.UserError, match="it takes two people"):
        lpff_ray.evaluate_identity(str(tmp_path), "dlib-resnet", "cpu")
