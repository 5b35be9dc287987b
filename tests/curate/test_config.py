"""Settings of `dedupe`: a file, flags over it, distances that fit the embedding."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lpff_ray.curate.config import DedupeConfig, dedupe_record, distances_of, load_dedupe_config
from lpff_ray.errors import UserError


def test_distances_fit_the_embedding_unless_they_are_given() -> None:
    resolved = DedupeConfig(identity_distance=0.3).resolved("dlib-resnet")
    assert (resolved.identity_distance, resolved.duplicate_distance, resolved.unclear_cost) == (
        0.3,
        0.2,
        0.08,
    )
    assert resolved.video_distance == pytest.approx(0.33)
    assert (
        DedupeConfig(identity_distance=0.3, video_distance=0.3).resolved("dlib-resnet").video_distance == 0.3
    )
    assert DedupeConfig().resolved("arcface-r50").identity_distance == 1.05


@pytest.mark.parametrize("name", ["arcface-r50", "arcface-r100", "arcface-w600k"])
def test_arcface_asks_for_a_cosine_of_045(name: str) -> None:
    assert 1 - distances_of(name).identity ** 2 / 2 == pytest.approx(0.45, abs=0.01)


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("[dedupe]\nduplicate_bits = 3\nclip_faces = 9\n[select]\nmin_iqa = 3\n")
    config = load_dedupe_config(file, {"duplicate_bits": 4, "duplicate_degrees": None})
    assert (config.duplicate_bits, config.clip_faces, config.duplicate_degrees) == (4, 9, 4.0)


@pytest.mark.parametrize(
    ("setting", "value"), [("duplicate_bits", 33), ("identity_distance", 0), ("bits", 3)]
)
def test_a_wrong_setting_is_named(setting: str, value: float) -> None:
    with pytest.raises(UserError, match=f"setting {setting}: "):
        load_dedupe_config(None, {setting: value})


def test_the_record_holds_settings_and_embedding() -> None:
    record = json.loads(dedupe_record(DedupeConfig(), 3, "dlib-resnet"))
    assert record["embedding"] == "dlib-resnet"
    assert record["schema_version"] == 3
    assert DedupeConfig(**record["settings"]) == DedupeConfig()


def test_the_distance_shrinks_as_the_collection_grows_unless_it_is_given() -> None:
    """At one distance for all, 4% of 50,000 made-up photos came into somebody else's identity."""
    default = DedupeConfig().resolved("dlib-resnet")
    assert default.distance_among(2000) == default.distance_among(3) == 0.31
    assert default.distance_among(20_000) == pytest.approx(0.284)
    assert default.distance_among(450_000) == pytest.approx(0.249, abs=1e-3)
    assert DedupeConfig(identity_distance=0.3).resolved("dlib-resnet").distance_among(450_000) == 0.3
