"""What distances between identity embeddings mean. They differ from network to network."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EmbeddingDistances:
    """Thresholds on Euclidean distances between embeddings of unit length (the square is 2 minus twice the cosine).

    identity: of two tracks of one person, on average. duplicate: of two faces that are nearly the same picture. stitch:
    of the faces on either side of a segment's border. unclear: what an unclear track costs
    (`DedupeConfig.unclear_cost`).
    """

    identity: float
    duplicate: float
    stitch: float
    unclear: float


# Evidence: docs/evidence/identity.md#the-built-in-embedding
_DLIB = EmbeddingDistances(identity=0.25, duplicate=0.2, stitch=0.3, unclear=0.02)
# A guess on the careful side, a cosine of 0.45 between tracks: docs/evidence/identity.md#arcface
_ARCFACE = EmbeddingDistances(identity=1.05, duplicate=0.6, stitch=0.9, unclear=0.2)


def embedding_distances(embedding: str) -> EmbeddingDistances:
    """The thresholds of a run's `embedding` setting."""
    return _ARCFACE if embedding.startswith("arcface") else _DLIB
