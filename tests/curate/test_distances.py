"""Thresholds by embedding."""

from __future__ import annotations

import pytest

from lpff_ray.curate.distances import embedding_distances


def test_the_built_in_embedding_has_measured_thresholds() -> None:
    distances = embedding_distances("dlib-resnet")
    assert (distances.identity, distances.duplicate, distances.stitch) == (0.25, 0.2, 0.3)


@pytest.mark.parametrize("name", ["arcface-r50", "arcface-r100", "arcface-w600k"])
def test_arcface_asks_for_a_cosine_of_045(name: str) -> None:
    assert 1 - embedding_distances(name).identity ** 2 / 2 == pytest.approx(0.45, abs=0.01)
