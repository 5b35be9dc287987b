"""ControlNet's data set, opened as its tutorial opens it, and landmarks that lie where the face is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import call, complaint
from PIL import Image
from selecting import export_command, with_selection

import lpff_ray
from lpff_ray.exports.imaging.conditioning import draw_points


@pytest.fixture(scope="module")
def run(demo_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_selection(demo_run, tmp_path_factory.mktemp("controlnet") / "run")


@pytest.fixture(scope="module")
def dataset(run: Path) -> Path:
    dest = run.parent / "fill"
    done = call(*export_command(run, "controlnet", "--dest", dest, "--size", 256))
    assert done.returncode == 0, done.stderr
    return dest


class TutorialDataset:
    """What `tutorial_dataset.py` of lllyasviel/ControlNet asks of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with open(folder / "prompt.json") as file:
            self.data = [json.loads(line) for line in file]

    def __getitem__(self, index: int) -> dict:
        item = self.data[index]
        source, target = (
            cv2.imread(f"{self.folder}/{item[part]}")[..., ::-1] for part in ("source", "target")
        )
        return {"jpg": target / 127.5 - 1, "txt": item["prompt"], "hint": source / 255}


def test_the_tutorials_loader_opens_it(dataset: Path) -> None:
    data = TutorialDataset(dataset)
    assert len(data.data) == 20
    for index in range(20):
        item = data[index]
        assert item["jpg"].shape == item["hint"].shape == (256, 256, 3)
        assert item["txt"].startswith("a portrait photo of a person, front view")
        assert 0.01 < (item["hint"].max(2) > 0).mean() < 0.1


def test_the_lines_lie_on_the_face(dataset: Path) -> None:
    hints = [Image.open(path) for path in sorted((dataset / "source").iterdir())[:15:5]]
    targets = [Image.open(path) for path in sorted((dataset / "target").iterdir())[:15:5]]
    found = lpff_ray.analyze([np.asarray(target) for target in targets])
    assert len(found) == 3
    for hint, landmarks in zip(hints, found["landmarks"].to_numpy(), strict=True):
        again = draw_points(landmarks.astype(float), 256).max(2) > 100
        near = cv2.dilate((np.asarray(hint).max(2) > 0).astype(np.uint8), np.ones((7, 7), np.uint8))
        assert near[again].mean() > 0.9


def test_a_users_captions_come_first_in_the_prompt(run: Path, tmp_path: Path) -> None:
    faces = lpff_ray.scan(str(run)).select("face_id", "uri").collect()
    captions = tmp_path / "captions.csv"
    captions.write_text(
        f'face_id,uri,caption\n{faces["face_id"][0]},,"An astronaut, smiling."\n,{faces["uri"][0]},a woman in orange\n'
    )
    command = export_command(run, "controlnet", "--size", 64)
    done = call(*command, "--dest", tmp_path / "dest", "--set", f"captions={captions}")
    assert done.returncode == 0, done.stderr
    prompts = [json.loads(line)["prompt"] for line in (tmp_path / "dest" / "prompt.json").open()]
    assert prompts[0].startswith("An astronaut, smiling, front view")
    assert all(prompt.startswith("a woman in orange, front view") for prompt in prompts[1:])
    other = tmp_path / "captions.jsonl"
    for text, said in (
        ('{"face_id": "no:such:face", "caption": "x"}\n', "no caption of any selected face"),
        ('{"face_id": \n', "line 1 is no JSON object"),
        (
            '[{"face_id": "a", "caption": "b"}]\n',
            "line 1 is no JSON object; write one object a line, and no array",
        ),
    ):
        other.write_text(text)
        found = call(*command, "--dest", tmp_path / "other", "--set", f"captions={other}")
        assert said in complaint(found)
    for text, said in (
        ("face_id;caption\na;b\n", "separated by commas; its first line has 'face_id;caption'"),
        ("caption,name\na,b\n", "needs the columns caption and face_id, clip_id or uri"),
        ("", "its first line has nothing"),
    ):
        captions.write_text(text)
        found = call(*command, "--dest", tmp_path / "other", "--set", f"captions={captions}")
        assert said in complaint(found)
    missing = call(*command, "--dest", tmp_path / "other", "--set", "captions=nowhere.csv")
    assert "nowhere.csv: captions can not be read: no such file" in complaint(missing)
    assert not (tmp_path / "other").exists()


def test_edited_captions_are_another_export(run: Path, tmp_path: Path) -> None:
    captions, dest = tmp_path / "captions.csv", tmp_path / "dest"
    uri = lpff_ray.scan(str(run)).select("uri").collect()["uri"][0]
    command = export_command(run, "controlnet", "--size", 64, "--dest", dest)
    captions.write_text(f"uri,caption\n{uri},first words\n")
    given = ("--set", f"captions={captions}")
    assert call(*command, *given).returncode == 0
    (dest / "target" / "00000003.png").unlink()
    before = (dest / "prompt.json").read_bytes()
    captions.write_text(f"uri,caption\n{uri},other words\n")
    assert re.search(
        r"dest: holds another export \(captions_sha256 = [0-9a-f]{16} there, [0-9a-f]{16} now\); give --dest",
        complaint(call(*command, *given)),
    )
    assert (dest / "prompt.json").read_bytes() == before
    captions.write_text(f"uri,caption\n{uri},first words\n")
    assert call(*command, *given).returncode == 0
    assert (dest / "prompt.json").read_bytes() == before
    assert (dest / "target" / "00000003.png").exists()
    assert "has no option 'captions_sha256'; its options: size, captions, max_upsampling" in complaint(
        call(*command, "--set", "captions_sha256=0")
    )
