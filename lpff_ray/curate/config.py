"""What decides identities and duplicates: the settings of `dedupe`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from lpff_ray.config import validated
from lpff_ray.errors import UserError
from lpff_ray.measure.identity.embeddings import Distances
from lpff_ray.measure.registry import EMBEDDINGS
from lpff_ray.storage.toml import read_toml

FEW_TRACKS = 2000
"""Tracks up to which `identity_distance` is as it is.
Evidence: docs/evidence/identity.md#thresholds-of-dlibs-network"""


def distances_of(embedding: str) -> Distances:
    """What distances mean for a run's `embedding` setting. Raises UserError if no installed package has it."""
    return EMBEDDINGS.load(embedding).distances


class DedupeConfig(BaseModel):
    """Everything that decides which faces are one person and which are duplicates.

    Distances are Euclidean between embeddings of unit length; None takes what fits the run's embedding
    (`distances_of`). Evidence for the others: docs/evidence/duplicates.md
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    identity_distance: float | None = Field(
        default=None,
        gt=0,
        lt=1.4,
        description="mean distance between the faces of two tracks of one person (dlib-resnet: 0.31, ArcFace: 1.05)",
    )
    video_distance: float | None = Field(
        default=None,
        gt=0,
        lt=1.4,
        description="the same of two tracks of one video, which are more likely one person's (dlib-resnet: 0.34, "
        "ArcFace: 1.1)",
    )
    collection_cost: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="taken off identity_distance for every tenfold of tracks beyond 2,000, since the nearest of many "
        "strangers is nearer (dlib-resnet: 0.026, ArcFace: 0; 0 if identity_distance is given)",
    )
    unclear_cost: float | None = Field(
        default=None,
        ge=0,
        lt=2,
        description="taken off the squared distance allowed between two tracks without a clear face "
        "(dlib-resnet: 0.08, ArcFace: 0.4)",
    )
    duplicate_distance: float | None = Field(
        default=None,
        gt=0,
        lt=2,
        description="distance between the embeddings of two duplicates (dlib-resnet: 0.2, ArcFace: 0.6)",
    )
    duplicate_degrees: float = Field(
        default=4.0, gt=0, le=60, description="rotation between two duplicates, degrees"
    )
    duplicate_bits: int = Field(
        default=10,
        ge=0,
        le=32,
        description="bits of 64 in which the perceptual hashes of two duplicates differ",
    )
    duplicate_expression: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description="how far mouth, eyes and brows of two duplicates differ: 1 just shows, 100 is anything",
    )
    clip_agreement: float = Field(
        default=0.7,
        gt=0,
        le=1,
        description="share of a clip's faces found in another one at a fixed offset in time",
    )
    clip_faces: int = Field(default=5, ge=2, description="fewest faces that make two clips near-duplicates")

    def resolved(self, embedding: str) -> DedupeConfig:
        """With every distance filled in for a run's `embedding` setting.

        `video_distance` is as far from `identity_distance` as it is by default.
        """
        distances = distances_of(embedding)
        moved = 0.0 if self.identity_distance is None else self.identity_distance - distances.identity
        defaults = {
            "identity_distance": distances.identity,
            "video_distance": min(max(distances.video + moved, 0.0), 1.4),
            "collection_cost": distances.collection if self.identity_distance is None else 0.0,
            "unclear_cost": distances.unclear,
            "duplicate_distance": distances.duplicate,
        }
        return self.model_copy(
            update={name: value for name, value in defaults.items() if getattr(self, name) is None}
        )

    def distance_among(self, tracks: int) -> float:
        """`identity_distance` among so many tracks; of a resolved configuration."""
        assert self.identity_distance is not None
        assert self.collection_cost is not None
        tenfolds = math.log10(max(1.0, tracks / FEW_TRACKS))
        return max(0.0, self.identity_distance - self.collection_cost * tenfolds)


def read_table(path: Path, name: str) -> dict[str, Any]:
    """The table `name` of a TOML file that may hold other verbs' too. Raises UserError if there is none."""
    table = read_toml(path).get(name)
    if not isinstance(table, dict):
        raise UserError(f"{path}: holds no [{name}] table; put the settings of {name} into one")
    return table


def load_dedupe_config(path: Path | None, overrides: Mapping[str, Any]) -> DedupeConfig:
    """Read the `[dedupe]` table of a TOML file (or nothing) with the command line's settings over it.

    Raises UserError naming the file and the setting when a value is unknown or out of range.
    """
    settings: dict[str, Any] = {}
    if path is not None:
        settings = read_table(path, "dedupe")
    given = {name: value for name, value in overrides.items() if value is not None}
    return validated(DedupeConfig, settings | given, path, given, "dedupe")


def dedupe_record(config: DedupeConfig, schema_version: int, embedding: str) -> bytes:
    """The record that stands beside the tables: which settings, for which embedding, made them."""
    record = {
        "schema_version": schema_version,
        "embedding": embedding,
        "settings": config.model_dump(mode="json"),
    }
    return json.dumps(record, indent=2).encode()
