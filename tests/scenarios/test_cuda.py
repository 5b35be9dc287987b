"""The same weights on a GPU give the same faces: run with `pytest -m cuda` where there is one."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import av
import numpy as np
import polars as pl
import pytest
import torch
from skimage.data import astronaut

import lpff_ray
from lpff_ray.config import MineConfig

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
CLIPS = ("facenet-pytorch_video", "data-juicer_video3", "3ddfa_obama", "liveportrait_d3")


def frames_of(path: Path, every: int = 15, count: int = 4) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [
            frame.to_ndarray(format="rgb24")
            for frame in islice(container.decode(video=0), 0, every * count, every)
        ]


def assert_same_faces(pictures: list[np.ndarray], config: MineConfig) -> None:
    cpu, gpu = (lpff_ray.analyze(pictures, config, device) for device in ("cpu", "cuda"))
    # A face at the gate may fall on either side of it: only its score tells.
    sure = (pl.col("det_score") > config.min_det_score + 0.01) & (
        pl.col("face_px") > config.min_face_px + 0.5
    )
    cpu, gpu = cpu.filter(sure), gpu.filter(sure)
    assert len(cpu) == len(gpu) > 0
    assert cpu["frame_index"].equals(gpu["frame_index"])
    assert np.abs(cpu["bbox"].to_numpy() - gpu["bbox"].to_numpy()).max() <= 0.5
    assert np.abs(cpu["keypoints"].to_numpy() - gpu["keypoints"].to_numpy()).max() <= 0.5
    assert np.abs(cpu["yaw"].to_numpy() - gpu["yaw"].to_numpy()).max() <= 0.5
    likeness = (cpu["embedding"].to_numpy() * gpu["embedding"].to_numpy()).sum(1)
    assert likeness.min() >= 0.9999


def test_a_portrait_has_the_same_face() -> None:
    turned = [np.ascontiguousarray(np.rot90(astronaut(), turns)) for turns in range(4)]
    assert_same_faces([astronaut(), np.ascontiguousarray(astronaut()[:, ::-1]), *turned[1:]], MineConfig())


@pytest.mark.data
@pytest.mark.parametrize("clip", CLIPS)
def test_real_clips_have_the_same_faces(clip: str, shared_data: Path) -> None:
    pictures = frames_of(shared_data / "videos" / f"{clip}.mp4")
    assert_same_faces(pictures, MineConfig(min_face_px=32))


@pytest.mark.data
def test_plug_ins_vote_the_same(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LPFF_RAY_MODELS", str(shared_data / "weights"))
    config = MineConfig(detector="yunet", pose_votes=("fsanet", "3ddfa_v2"))
    pictures = frames_of(shared_data / "videos" / "liveportrait_d3.mp4")
    assert_same_faces(pictures, config)
    cpu, gpu = (lpff_ray.analyze(pictures, config, device) for device in ("cpu", "cuda"))
    for a, b in zip(cpu["pose_votes"].to_list(), gpu["pose_votes"].to_list(), strict=True):
        for left, right in zip(a, b, strict=True):
            assert abs(left["yaw"] - right["yaw"]) <= 0.5, left["estimator"]
