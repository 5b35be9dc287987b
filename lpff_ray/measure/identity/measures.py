"""The measures that make the `embedding` column: dlib's network, and ArcFace networks of the model store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lpff_ray.measure.columns import EMBEDDING_WIDTH, embedding
from lpff_ray.measure.contract import CropMeasure, FaceBatch, Values
from lpff_ray.measure.identity.chips import arcface_chip
from lpff_ray.models.cards import load_cards
from lpff_ray.models.runtimes import EmbeddingModel
from lpff_ray.models.store import plugin, plugin_files


class DlibEmbedding(CropMeasure):
    """The default `embedding`: dlib's ResNet, the mean over a chip and its mirror image."""

    name = "dlib-resnet"
    columns = embedding(EMBEDDING_WIDTH)
    stage = "embed"

    def __init__(self, device: str) -> None:
        """Raises UserError if the model's file is missing, or the device absent."""
        super().__init__(device)
        self._model = mirror_averaged(EmbeddingModel(load_cards()[self.name].path(), device))

    def crops(self, faces: FaceBatch) -> Sequence[NDArray[np.uint8]]:
        """Aligned chips of 150 pixels."""
        return faces.aligned_chips

    def measure_crops(self, crops: NDArray[np.uint8]) -> Mapping[str, Values]:
        """`embedding`: float32 [k, 128] of unit length."""
        return {"embedding": self._model(crops)}


class ArcFaceEmbedding(CropMeasure):
    """The `embedding` of an ArcFace network of the model store."""

    stage = "embed"

    def __init__(self, name: str, device: str) -> None:
        """name: of its card. Raises UserError if its file is missing, wrong or unusable."""
        super().__init__(device)
        from lpff_ray.models.optional.arcface import load_arcface  # not above: it loads torch

        card = plugin(name)
        assert card.width is not None
        self.name = name  # type: ignore[misc]  # one class serves three cards
        self.columns = embedding(card.width)
        self._model = load_arcface(plugin_files(card)[0], device, card.width)

    def crops(self, faces: FaceBatch) -> Sequence[NDArray[np.uint8]]:
        """ArcFace's own chips of 112 pixels."""
        assert faces.five_points is not None
        return [
            arcface_chip(picture, five)
            for picture, five in zip(faces.pictures, faces.five_points, strict=True)
        ]

    def measure_crops(self, crops: NDArray[np.uint8]) -> Mapping[str, Values]:
        """`embedding`: float32 [k, width] of unit length."""
        return {"embedding": self._model(crops)}


def mirror_averaged(
    model: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """The model on chips and their mirror images: their mean, of unit length, is a better embedding of side views."""

    def embed(chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        both = model(np.concatenate([chips, chips[:, :, ::-1]]))
        mean = both[: len(chips)] + both[len(chips) :]
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)

    return embed
