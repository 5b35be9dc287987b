"""The columns of the faces table that measuring makes, by the measure that makes them; no model is loaded for them."""

from __future__ import annotations

import polars as pl

DETECTION = pl.Schema(
    {
        "frame_width": pl.Int32(),
        "frame_height": pl.Int32(),
        "bbox": pl.Array(pl.Float32(), 4),
        "det_score": pl.Float32(),
    }
)
"""Of the face detector."""

POSE = pl.Schema(
    {
        "keypoints": pl.Array(pl.Float32(), (5, 2)),
        "landmarks": pl.Array(pl.Float32(), (68, 3)),
        "rotvec": pl.Array(pl.Float32(), 3),
        "translation": pl.Array(pl.Float32(), 3),
        "yaw": pl.Float32(),
        "pitch": pl.Float32(),
        "roll": pl.Float32(),
        "azimuth": pl.Float32(),
        "elevation": pl.Float32(),
        "tilt": pl.Float32(),
        "pose_votes": pl.List(
            pl.Struct(
                {"estimator": pl.String(), "yaw": pl.Float32(), "pitch": pl.Float32(), "roll": pl.Float32()}
            )
        ),
        "pose_bin": pl.String(),
        "pose_bin_strict": pl.String(),
        "pose_bin_fine": pl.String(),
        "pose_spread": pl.Float32(),
    }
)
"""Of the fused head pose."""

SIZE = pl.Schema({"face_px": pl.Float32()})
IMAGE_QUALITY = pl.Schema({"sharpness": pl.Float32(), "iqa": pl.Float32()})
BRIGHTNESS = pl.Schema({"brightness": pl.Float32()})
PERCEPTUAL_HASH = pl.Schema({"phash": pl.UInt64()})

EMBEDDING_WIDTH = (
    128  # numbers of the default embedding, dlib-resnet; another one's is on its card and in `run.json`
)


def embedding(width: int) -> pl.Schema:
    """The column of an identity embedding of `width` numbers."""
    return pl.Schema({"embedding": pl.Array(pl.Float32(), width)})


def measured(embedding_width: int) -> pl.Schema:
    """Everything that measuring makes without optional measures, in the order of the table."""
    parts = (DETECTION, POSE, SIZE, IMAGE_QUALITY, BRIGHTNESS, embedding(embedding_width), PERCEPTUAL_HASH)
    return pl.Schema({name: kind for part in parts for name, kind in part.items()})
