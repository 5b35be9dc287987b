"""The Ray executor with the real miner: the same table as the local one."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from skimage import data

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.run.mine import mine

pytestmark = pytest.mark.ray


def write_portrait(path: Path, frames: int) -> None:
    """A public-domain portrait that drifts to the right, two pixels per frame."""
    picture = data.astronaut()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "12", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = 512, 512, "yuv420p"
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, 2 * index, axis=1), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def test_same_table_as_the_local_executor(local_node: None, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    write_portrait(clips / "portrait.mp4", frames=40)
    (clips / "broken.mp4").write_bytes((clips / "portrait.mp4").read_bytes()[:20_000])
    config = MineConfig(every=4, segment_seconds=1)
    local = mine([str(clips)], str(tmp_path / "local"), config, workers=1)
    ray = mine([str(clips)], str(tmp_path / "ray"), config, workers=1, executor="ray")
    assert ray.mined == local.mined == 4
    assert ray.videos == local.videos
    faces = lpff_ray.scan(str(tmp_path / "ray")).collect()
    assert len(faces) >= 10, "a face in every sampled frame"
    assert faces.equals(lpff_ray.scan(str(tmp_path / "local")).collect())
    assert not list((tmp_path / "ray").glob(".visible-*"))
    again = mine([str(clips)], str(tmp_path / "ray"), config, workers=1, executor="ray")
    assert (again.done_before, again.mined) == (4, 0), "resumed: nothing left"
