"""What decides identities and duplicates: thresholds, each with the evidence for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from lpff_ray.config import read_toml, validated
from lpff_ray.errors import UserError


@dataclass(frozen=True)
class Scale:
    """What distances between embeddings mean: they differ from network to network.

    identity: of two tracks of one person. duplicate: of two faces that are nearly the same picture. stitch: of the
    faces on either side of a segment's border. unclear: what an unclear track costs (`DedupeConfig.unclear_cost`).
    """

    identity: float
    duplicate: float
    stitch: float
    unclear: float


# Measured by benchmarks/accuracy/identities.py, which shows what other values cost.
# identity: tracks of one person in two clips are 0.09 apart, means of five photos of one person in LFW up to 0.20;
# clear tracks of two people 0.29 and more in the clips, 0.34 in LFW. From 0.31 on it merges people. It is a weak
# network, worst among people who look alike to it: a larger collection needs an ArcFace plug-in, not another threshold.
# A folder of single photos, whose noise no track averages away, finds few of its pairs at 0.25 and most at 0.34.
# unclear: single faces of two people come as near as 0.25 (1 of 1,000 pairs in AFLW) past 60 degrees of yaw, where
# frontal ones stay beyond 0.34: two tracks without any clear face have to be within 0.15.
# duplicate: a frame and its copy are up to 0.17 apart in h264 at crf 33, 0.13 at 60% of the size.
# stitch: 1 of 200 steps within tracks looked at 5 times a second exceeds 0.28, and 98% of pairs of people.
DLIB_SCALE = Scale(identity=0.25, duplicate=0.2, stitch=0.3, unclear=0.02)
# A guess, since the weights are a plug-in that nobody has measured here: it asks for a cosine of 0.45 between tracks,
# on the careful side of what the network's users report. Measure it on labelled clips of your own first.
ARCFACE_SCALE = Scale(identity=1.05, duplicate=0.6, stitch=0.9, unclear=0.2)


def scale_of(embedding: str) -> Scale:
    """The scale of a run's `embedding` setting."""
    return ARCFACE_SCALE if embedding.startswith("arcface") else DLIB_SCALE


class DedupeConfig(BaseModel):
    """Everything that decides which faces are one person and which are duplicates.

    Distances are Euclidean between embeddings of unit length; None takes what fits the run's embedding (`scale_of`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    identity_distance: float | None = Field(
        default=None,
        gt=0,
        lt=1.4,
        description="mean distance between the tracks of two clusters that are one person",
    )
    unclear_cost: float | None = Field(
        default=None,
        ge=0,
        lt=2,
        description="taken off the squared distance allowed, for each track without a clear face",
    )
    duplicate_distance: float | None = Field(default=None, gt=0, lt=2, description="between two duplicates")
    duplicate_degrees: float = Field(default=4.0, gt=0, le=60, description="rotation between two duplicates")
    duplicate_bits: int = Field(
        default=10, ge=0, le=32, description="of 64 that differ in the perceptual hash"
    )
    duplicate_expression: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description="of mouth, eyes and brows between two duplicates; 1 just shows, 100 is anything",
    )
    clip_agreement: float = Field(
        default=0.7,
        gt=0,
        le=1,
        description="share of a clip's faces found in another one at a fixed offset in time",
    )
    clip_faces: int = Field(default=5, ge=2, description="fewest faces that make two clips near-duplicates")

    def resolved(self, embedding: str) -> DedupeConfig:
        """With every distance filled in for a run's `embedding` setting."""
        scale = scale_of(embedding)
        defaults = {
            "identity_distance": scale.identity,
            "unclear_cost": scale.unclear,
            "duplicate_distance": scale.duplicate,
        }
        return self.model_copy(
            update={name: value for name, value in defaults.items() if getattr(self, name) is None}
        )


def read_table(path: Path, name: str) -> dict[str, Any]:
    """The table `name` of a TOML file that may hold other verbs' too. Raises UserError if there is none."""
    table = read_toml(path).get(name)
    if not isinstance(table, dict):
        raise UserError(f"{path}: holds no [{name}] table; put the settings of {name} into one")
    return table


def load_dedupe_config(path: Path | None, overrides: Mapping[str, Any]) -> DedupeConfig:
    """Read the `[dedupe]` table of a TOML file (or nothing) and lay the command line's settings over it.

    Raises UserError naming the file and the setting when a value is unknown or out of range.
    """
    settings: dict[str, Any] = {}
    if path is not None:
        settings = read_table(path, "dedupe")
    given = {name: value for name, value in overrides.items() if value is not None}
    return validated(DedupeConfig, settings | given, path, given, "dedupe")


def as_json(config: DedupeConfig, schema_version: int, embedding: str) -> bytes:
    """The record that stands beside the tables: which settings, for which embedding, made them."""
    record = {
        "schema_version": schema_version,
        "embedding": embedding,
        "settings": config.model_dump(mode="json"),
    }
    return json.dumps(record, indent=2).encode()
