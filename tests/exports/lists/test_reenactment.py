"""EFHQ's lists of frames for LIA and TPS, as its loaders read them, and its rules for clips and their split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from clips import read_index, write_clip
from PIL import Image
from tracked import SELECTION, Track, tracked_run

from lpff_ray.exports.formats.reenactment import Reenactment
from lpff_ray.exports.job import ExportSummary, export

WHOLE = (12, 12, 48, 48)
EVERYTHING = {"size": 64, "min_frames": 10, "min_size": 16, "increase": 1 / 6}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 numbered frames of 64 x 64."""
    return write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", size=(64, 64))


def made_of(tracks: list[Track], folder: Path, **options: object) -> ExportSummary:
    run = tracked_run(folder / "run", tracks)
    export_format = Reenactment(**{**EVERYTHING, **options})  # type: ignore[arg-type]
    summary = export(str(run), SELECTION, export_format, str(folder / "made"), workers=1)
    assert not summary.failures
    return summary


def ext256(root: Path, data_list: Path) -> dict[str, dict[str, list[int]]]:
    """What Ext256 in EFHQ's 5_train_eval/lia/dataset.py (its branch "celeb") reads, of one root for both lists."""
    videos: dict[str, dict[str, list[int]]] = {}
    for line in data_list.read_text().splitlines():
        path, category = line.strip().split()
        name, instance = path.split("/")[-1], "/".join(path.split("/")[:-1])
        picture = np.asarray(Image.open(root / instance / name).convert("RGB"))
        videos.setdefault(instance, {"frontal": [], "extreme": []})[category].append(read_index(picture))
    for number, frames in enumerate(
        videos.values()
    ):  # __getitem__: what it can not pair it skips, to the next one
        assert frames["extreme"], f"IndexError for clip {number} if it is the last"
    return videos


def test_efhqs_loaders_find_frontal_and_extreme_pictures(tmp_path: Path, clip: Path) -> None:
    tracks = [
        Track(clip, [0, 10, 20], WHOLE, ["frontal", "profile_left", "confused"], "Ann Oh"),
        Track(clip, [30, 50], WHOLE, ["profile_up", "frontal"], "Ben Uh", split="test"),
        # Nothing to pair: a training clip without an extreme frame, a test clip without a frontal one.
        Track(clip, [21, 40], WHOLE, "frontal", "Ann Oh"),
        Track(clip, [40, 55], WHOLE, "profile_left", "Ben Uh", split="test"),
    ]
    summary = made_of(tracks, tmp_path)
    made = tmp_path / "made"
    found = {split: ext256(made, made / f"{split}_frames.txt") for split in ("train", "test")}
    assert {split: [*clips.values()] for split, clips in found.items()} == {
        "train": [{"frontal": list(range(6)), "extreme": list(range(6, 21))}],
        "test": [{"frontal": list(range(41, 51)), "extreme": list(range(30, 41))}],
    }
    for split, clips in found.items():
        (instance,) = clips
        assert instance.startswith(f"{split}/")
        assert len((made / f"{split}.txt").read_text().splitlines()) == 2, "those of TPS and FOMM"
        assert any(note.startswith(f"{split}_frames.txt: 1 of 2 clips") for note in summary.notes)


def test_efhqs_rules(tmp_path: Path, clip: Path) -> None:
    """preprocess_vox.py and create_train_test.py: one box per track, squeezed at the border; the last quarter by name
    of the clips with a frontal and five extreme frames is for testing, and the people in it for nothing else."""
    mixed = ["frontal", "profile_left"]
    tracks = [
        Track(
            clip, [0, 20], [(0, 0, 16, 16), (40, 40, 64, 64)], mixed, "a"
        ),  # the face wanders: one clip all the same
        Track(clip, [0, 15], WHOLE, mixed, "b"),
        Track(clip, [5, 25], WHOLE, mixed, "c"),
        Track(clip, [30, 50], WHOLE, mixed, "c", split="train"),
        Track(clip, [30, 45], WHOLE, "frontal", "d"),
    ]
    given = {"rules": "efhq", "min_size": 16, "min_area": 64.0, "min_frames": 2}
    made_of(tracks, tmp_path, **given, increase=0.1)
    made = tmp_path / "made"
    table = pl.read_csv(made / "metadata.csv")
    # Five clips: two are for testing (1.25, rounded up); both are of c, of whom there are no others.
    assert table.group_by("split", "identity").len().sort("split", "identity").rows() == [
        ("test", "c", 2),
        ("train", "a", 1),
        ("train", "b", 1),
        ("train", "d", 1),
    ]
    wanders = table.filter(pl.col("identity") == "a")
    assert wanders["frames"].item() == 21
    assert wanders["bbox"].item() == "0 0 64 64", "clamped, and squeezed into the square"
    assert list(ext256(made, made / "test_frames.txt")) == [
        f"test/{name}" for name in (made / "test.txt").read_text().split()
    ]
    one = Reenactment(rules="efhq")
    assert (one.min_size, one.min_area, one.min_overlap, one.increase, one.size) == (256, 10_000, 0, 0.1, 256)
    assert Reenactment(rules="efhq", min_size=200).min_size == 200
    assert Reenactment().min_frames == 64


def test_people_of_test_clips_are_in_no_training_clip(tmp_path: Path, clip: Path) -> None:
    mixed = ["frontal", "profile_left"]
    tracks = [
        Track(clip, [0, 15], WHOLE, mixed, "a"),
        Track(clip, [0, 20], WHOLE, mixed, "z"),
        Track(clip, [25, 35], WHOLE, "frontal", "z"),  # not fit for testing, and of somebody who is tested
    ]
    made_of(tracks, tmp_path, rules="efhq", min_size=16, min_area=64.0)
    table = pl.read_csv(tmp_path / "made" / "metadata.csv")
    assert table.select("split", "identity").sort("split").rows() == [("test", "z"), ("train", "a")]
