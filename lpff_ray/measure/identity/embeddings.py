"""Identity embeddings: vectors that are near each other for faces of one person. Add one as an `Embedding`.

An `Embedding` holds what tracking and curation need without loading the network (thresholds), and the loader.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpff_ray.measure.contract import CropMeasure

from lpff_ray.measure.columns import EMBEDDING_WIDTH


@dataclass(frozen=True)
class Likeness:
    """What cosine similarities mean to the tracker, as a cost of linking two faces: 0 from a cosine of `enough` on, and
    `slope` face widths for every 1 below it."""

    enough: float
    slope: float


@dataclass(frozen=True)
class Distances:
    """What Euclidean distances between embeddings mean to curation: thresholds, different for every network.

    identity: at most between two tracks of one person, as the root of the mean square over pairs of their faces; video:
    the same between tracks of one video. duplicate: at most between two faces that are nearly the same picture. stitch:
    at most between the faces on either side of a segment's border. unclear, collection: costs of two unclear tracks,
    and of a large collection (`DedupeConfig.unclear_cost`, `collection_cost`).
    """

    identity: float
    video: float
    duplicate: float
    stitch: float
    unclear: float
    collection: float = 0.0


@dataclass(frozen=True)
class Embedding:
    """An identity embedding: one entry of the registry.

    width: numbers per face. likeness: for the tracker. distances: for curation.
    load: makes the measure (its column is `embedding`) for a device. Raises UserError if its file is missing or wrong.
    """

    name: str
    width: int
    likeness: Likeness
    distances: Distances
    load: Callable[[str], CropMeasure]


def _load_dlib(device: str) -> CropMeasure:
    from lpff_ray.measure.identity.measures import DlibEmbedding  # not above: it loads torch

    return DlibEmbedding(device)


def _load_arcface(name: str) -> Callable[[str], CropMeasure]:
    def load(device: str) -> CropMeasure:
        from lpff_ray.measure.identity.measures import ArcFaceEmbedding

        return ArcFaceEmbedding(name, device)

    return load


# Thresholds of dlib's network. Evidence: docs/evidence/identity.md#thresholds-of-dlibs-network
DLIB = Embedding(
    name="dlib-resnet",
    width=EMBEDDING_WIDTH,
    likeness=Likeness(enough=0.96, slope=8.0),
    distances=Distances(identity=0.31, video=0.34, duplicate=0.2, stitch=0.3, unclear=0.08, collection=0.026),
    load=_load_dlib,
)


def _arcface(name: str) -> Embedding:
    """Thresholds that are guesses, not measured. Evidence: docs/evidence/identity.md#thresholds-of-arcface"""
    return Embedding(
        name=name,
        width=512,
        likeness=Likeness(enough=0.6, slope=1.0),
        distances=Distances(identity=1.05, video=1.1, duplicate=0.6, stitch=0.9, unclear=0.4),
        load=_load_arcface(name),
    )


ARCFACE_R50 = _arcface("arcface-r50")
ARCFACE_R100 = _arcface("arcface-r100")
ARCFACE_W600K = _arcface("arcface-w600k")
