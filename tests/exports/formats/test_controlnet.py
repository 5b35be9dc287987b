"""ControlNet's data set, opened as its tutorial opens it, and landmarks that lie where the face is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import call, complaint
from selecting import SELECTION, export_command, with_selection

import lpff_ray
from lpff_ray.exports.lists.prompts import efhqs_prompt

PUPILS = ((250, 200, 10), (10, 200, 250))  # the subject's right and left


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


def efhqs_items(folder: Path) -> list[dict[str, str]]:
    """What `MyDataset` of EFHQ's 5_train_eval/controlnet/tutorial_dataset.py lists."""
    items = []
    for filename, text in json.loads((folder / "prompts.json").read_text()).items():
        source = folder / "condition_images" / f"{filename}.png"
        target = folder / "target_images" / f"{filename}.png"
        assert target.exists(), f"Target path: {target} not exist"
        if source.exists():
            items.append({"source": source.as_posix(), "target": target.as_posix(), "prompt": text})
    return items


def test_efhqs_loader_and_the_tutorials_open_it(dataset: Path) -> None:
    data, items = TutorialDataset(dataset), efhqs_items(dataset)
    assert len(data.data) == len(items) == 40, "each face and its mirror image"
    assert [Path(item["target"]).stem for item in items[:2]] == ["img00000000", "img00000000_mirror"]
    assert Path(items[0]["target"]).parent.name == "00000"
    for index in range(40):
        item = data[index]
        assert item["jpg"].shape == item["hint"].shape == (256, 256, 3)
        assert item["txt"].startswith("a portrait photo of a person, front view")
        assert 0.01 < (item["hint"].max(2) > 0).mean() < 0.1
        assert np.array_equal(item["jpg"], cv2.imread(items[index]["target"])[..., ::-1] / 127.5 - 1)
    for plain, mirror in zip(items[::2], items[1::2], strict=True):
        assert np.array_equal(cv2.imread(plain["target"])[:, ::-1], cv2.imread(mirror["target"]))
        hints = [cv2.imread(item["source"]).max(2) > 0 for item in (plain, mirror)]
        near = cv2.dilate(hints[1].astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        assert near[hints[0][:, ::-1]].mean() > 0.98


def test_the_lines_lie_on_the_face(dataset: Path) -> None:
    items = efhqs_items(dataset)[:30:10]
    found = lpff_ray.analyze([cv2.imread(item["target"])[..., ::-1].copy() for item in items])
    assert len(found) == 3
    for item, landmarks in zip(items, found["landmarks"].to_numpy(), strict=True):
        hint = cv2.imread(item["source"])[..., ::-1].astype(int)
        eyes = [np.argwhere(np.abs(hint - colour).max(2) < 30)[:, ::-1].mean(0) for colour in PUPILS]
        wanted = [landmarks[36:42, :2].mean(0), landmarks[42:48, :2].mean(0)]
        assert np.abs(np.array(eyes) - wanted).max() < 8, "pupils, the subject's right one first"
        drawn = cv2.dilate((hint.max(2) > 0).astype(np.uint8), np.ones((9, 9), np.uint8))
        lips = landmarks[48:60, :2].round().astype(int)
        assert drawn[lips[:, 1], lips[:, 0]].mean() > 0.8
    counts = json.loads((dataset / "meshes.json").read_text())
    assert counts == {"facemesh": 20, "head model": 0}


def test_where_facemesh_is_not_used_the_head_model_is_drawn_in_the_measured_pose(
    run: Path, dataset: Path, tmp_path: Path
) -> None:
    options = {"size": 256, "mesh_yaw": 0.0, "mirror": False}
    summary = lpff_ray.export(str(run), SELECTION, "controlnet", str(tmp_path / "model"), options)
    assert summary.notes[0] == "20 of 20 faces drawn as the head model in the measured pose"
    for item in efhqs_items(tmp_path / "model")[:15:5]:
        same = cv2.imread(str(dataset / Path(item["source"]).relative_to(tmp_path / "model"))).max(2) > 0
        model = cv2.imread(item["source"]).max(2) > 0
        near = cv2.dilate(same.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
        assert near[model].mean() > 0.9, "of another head, in the same place"


def test_prompts_by_efhqs_template(run: Path, tmp_path: Path) -> None:
    faces = lpff_ray.scan(str(run)).select("face_id").collect()["face_id"]
    attributes = tmp_path / "attributes.csv"
    attributes.write_text(f"face_id,emotion,race,gender\n{faces[0]},Happy,White,Woman\n{faces[1]},,,Man\n")
    command = export_command(run, "controlnet", "--size", 64, "--set", f"attributes={attributes}")
    assert call(*command, "--dest", tmp_path / "dest").returncode == 0
    prompts = [item["prompt"] for item in efhqs_items(tmp_path / "dest")]
    assert prompts[:6] == [
        *["A portrait image of a happy white woman."] * 2,
        *["A portrait image of a man."] * 2,
        *["A portrait image of a person."] * 2,
    ]
    assert efhqs_prompt({"emotion": "sad", "gender": "man"}, True) == "A profile portrait image of a sad man."
    attributes.write_text("face_id,emotion\nno:such:face,sad\n")
    assert "no attribute of any selected face" in complaint(call(*command, "--dest", tmp_path / "other"))
    both = ("--set", f"captions={attributes}", "--dest", tmp_path / "other")
    assert "exclude each other" in complaint(call(*command, *both))


def test_a_users_captions_come_first_in_the_prompt(run: Path, tmp_path: Path) -> None:
    faces = lpff_ray.scan(str(run)).select("face_id", "uri").collect()
    captions = tmp_path / "captions.csv"
    captions.write_text(
        f'face_id,uri,caption\n{faces["face_id"][0]},,"An astronaut, smiling."\n,{faces["uri"][0]},a woman in orange\n'
    )
    command = export_command(run, "controlnet", "--size", 64)
    done = call(*command, "--dest", tmp_path / "dest", "--set", f"captions={captions}")
    assert done.returncode == 0, done.stderr
    prompts = [json.loads(line)["prompt"] for line in (tmp_path / "dest" / "prompt.json").open()][::2]
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
    (dest / "target_images" / "00000" / "img00000003.png").unlink()
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
    assert (dest / "target_images" / "00000" / "img00000003.png").exists()
    assert (
        "has no option 'captions_sha256'; its options: size, crop, mirror, mesh_yaw, captions, attributes, prompts, "
        "max_upsampling" in complaint(call(*command, "--set", "captions_sha256=0"))
    )
