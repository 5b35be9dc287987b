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
from lpff_ray.exports.imaging.conditioning import REGIONS, draw_points
from lpff_ray.exports.lists.prompts import describe
from lpff_ray.geometry.head_model import head_model
from lpff_ray.measure.landmarks import SCHEME_68


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
    assert "has no option 'captions_sha256'; its options: size, captions" in complaint(
        call(*command, "--set", "captions_sha256=0")
    )


@pytest.mark.parametrize(
    ("face", "words"),
    [
        ({"yaw": 70.0}, "profile view facing image-left"),
        ({"yaw": -70.0, "roll": 50.0}, "profile view facing image-right"),
        ({"yaw": -85.0, "pitch": 40.0}, "profile view facing image-right"),
        ({"yaw": 50.0, "pitch": 40.0}, "three-quarter view facing image-left, looking up"),
        ({"yaw": -30.0}, "three-quarter view facing image-right"),
        ({"pitch": 20.0, "roll": -20.0}, "front view, looking up, head tilted"),
        ({"pitch": -20.0, "sharpness": 0.9}, "front view, looking down, sharp focus"),
        ({"sharpness": 0.2, "brightness": 30.0}, "front view, blurred, dark lighting"),
        ({"brightness": 200.0}, "front view, bright lighting"),
    ],
)
def test_prompts_say_what_was_measured(face: dict[str, float], words: str) -> None:
    plain = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, "sharpness": 0.7, "brightness": 120.0}
    assert describe(plain | face) == words


def test_drawing_is_anti_aliased_and_as_wide_for_any_size() -> None:
    points = 30 * head_model().mesh[SCHEME_68]  # pixels to the centimetre
    small, large = (
        draw_points(points * size / 512 * 0.8 + [size / 2, size * 0.6, 0], size) for size in (256, 512)
    )
    assert len(np.unique(large)) > 60, "edges are graded"
    reduced = cv2.resize(large, (256, 256), interpolation=cv2.INTER_AREA)
    assert np.abs(reduced.astype(int) - small).mean() < 1.5
    assert {point for region in REGIONS for point in region.points} == set(range(68))


def test_what_is_nearer_is_drawn_over_what_is_further_away() -> None:
    jaw, brow = REGIONS[0], REGIONS[3]
    points = np.full((68, 3), 50.0)
    points[list(jaw.points)] = np.linspace([100, 500, 0], [900, 500, 0], len(jaw.points))
    for depth, seen in ((-5.0, brow), (5.0, jaw)):
        points[list(brow.points)] = np.linspace([505, 100, depth], [505, 900, depth], len(brow.points))
        assert tuple(draw_points(points, 1024)[500, 505]) == seen.colour
