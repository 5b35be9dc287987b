"""What prompts say of a face."""

from __future__ import annotations

import pytest

from lpff_ray.exports.lists.prompts import pose_phrase


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
    assert pose_phrase(plain | face) == words
