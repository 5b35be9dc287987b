"""Clips of a reenactment set: how the head is turned in them, their names, and EFHQ's train and test split."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
import polars as pl

from lpff_ray.exports.format import Record
from lpff_ray.exports.lists.bins import PROFILE_BINS
from lpff_ray.exports.lists.tracks import track_number
from lpff_ray.storage.folder import Folder
from lpff_ray.types import PoseBin

TEST_FRONTAL, TEST_EXTREME = 1, 5  # fewest frames of a kind in a test clip (create_train_test.py)
TEST_CLIPS = 0.25  # share of all clips (ibid.)
EFHQ_RULES: dict[str, Any] = {
    "min_frames": 2,
    "max_frames": 1_000_000,
    "min_overlap": 0.0,
    "min_size": 256,
    "min_area": 100.0**2,
    "border": "squeeze",
    "split": "efhq",
}
"""EFHQ's settings (preprocess_vox.py): one box per clip, whatever the face does in it."""


def head_turns(faces: pl.DataFrame) -> Record:
    """How the head is turned over rows with `pose_bin`, `yaw` and `pitch` (degrees).

    tag: "extreme" if more of the sampled frames are in one of EFHQ's profile bins than in its frontal one, else
    "frontal"; with the share of both (a frame on which the estimators disagree is neither).
    """
    frontal = sum(name == PoseBin.FRONTAL for name in faces["pose_bin"]) / len(faces)
    extreme = sum(name in PROFILE_BINS for name in faces["pose_bin"]) / len(faces)
    record = {
        "tag": "extreme" if extreme > frontal else "frontal",
        "frontal_share": round(frontal, 3),
        "extreme_share": round(extreme, 3),
    }
    for angle in ("yaw", "pitch"):
        values = faces[angle].to_numpy()
        record |= {
            f"{angle}_min": round(float(values.min()), 1),
            f"{angle}_max": round(float(values.max()), 1),
        }
    return record


def categories(faces: pl.DataFrame, frames: list[int]) -> list[str]:
    """EFHQ's word for each frame, "frontal" or "extreme": by the pose bin of the looked-at face nearest in time.

    faces: by `frame_index`, with `pose_bin`. As in vfhq_txt.py, whatever is not frontal is extreme, frames on which
    the estimators disagree included.
    """
    looked_at = faces["frame_index"].to_numpy()
    nearest = np.abs(np.subtract.outer(frames, looked_at)).argmin(1)
    words = ["frontal" if name == PoseBin.FRONTAL else "extreme" for name in faces["pose_bin"]]
    return [words[position] for position in nearest]


def loadable(words: list[str], split: str) -> bool:
    """Whether EFHQ's loaders can make pairs of a clip with these `categories`: the last of a list must not fail."""
    return eligible_for_test(words) if split == "test" else "extreme" in words


def eligible_for_test(words: list[str]) -> bool:
    """EFHQ's test clips: at least one frontal and five extreme frames."""
    return words.count("frontal") >= TEST_FRONTAL and words.count("extreme") >= TEST_EXTREME


def who(faces: pl.DataFrame) -> str:
    """Whose clip it is, fit for a file name: the identity, or the video where that is unknown."""
    return str(faces["person"][0] or faces["clip"][0])


def clip_name(faces: pl.DataFrame, first: int, last: int) -> str:
    """A clip's name, of the rows of its stretch and its first and last frame."""
    track = track_number(faces["track"][0], faces["video_id"][0])
    return f"{who(faces)}#{faces['clip'][0]}-{track}#{first:06d}#{last:06d}.mp4"


def split_as_efhq(faces: pl.DataFrame, clips: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The faces with EFHQ's `split`, without those of test people that are in no test clip.

    Test clips are, of those with at least one frontal and five extreme frames, the last by name, a quarter of all clips
    (rounded up); their people are in no training clip. clips: the stretches of `faces` that become clips.
    Source: EFHQ, 4_building/reenactment/create_train_test.py.
    """
    frames = [list(range(clip["frame_index"][0], clip["frame_index"][-1] + 1)) for clip in clips]
    named = sorted(
        (clip_name(clip, indices[0], indices[-1]), number)
        for number, (clip, indices) in enumerate(zip(clips, frames, strict=True))
        if eligible_for_test(categories(clip, indices))
    )
    test = [clips[number] for _, number in named[-ceil(TEST_CLIPS * len(clips)) :]] if clips else []
    tested = [face for clip in test for face in clip["face_id"]]
    is_test = pl.col("face_id").is_in(tested)
    others = ~pl.coalesce("person", "clip").is_in([who(clip) for clip in test])
    return faces.filter(is_test | others).with_columns(
        split=pl.when(is_test).then(pl.lit("test")).otherwise(pl.lit("train"))
    )


def frame_list_notes(dest: Folder, splits: Sequence[str]) -> list[str]:
    """How many clips a split's list of frames leaves out, and why."""
    notes = []
    for split in splits:
        clips = (dest.read(f"{split}.txt") or b"").decode().splitlines()
        lines = (dest.read(f"{split}_frames.txt") or b"").decode().splitlines()
        listed = len({line.split("/")[1] for line in lines})
        if listed < len(clips):
            wants = "an extreme frame" if split == "train" else "a frontal and five extreme frames"
            notes.append(
                f"{split}_frames.txt: {listed} of {len(clips)} clips, those with {wants}: EFHQ's loaders fail on others"
            )
    return notes
