"""What a run will take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from PIL import Image

from lpff_ray.config import MineConfig
from lpff_ray.plan.estimate import Costs, estimate
from lpff_ray.plan.manifest import Source
from lpff_ray.plan.planner import plan_videos
from lpff_ray.plan.sampling import wanted_indices
from lpff_ray.plan.segment import Segment


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 frames of 64 x 48 pixels at 25 fps: 2.4 s, keyframes every 12."""
    return write_clip(tmp_path_factory.mktemp("plan") / "clip.mp4", 60, gop=12)


def test_estimate_is_what_will_be_looked_at(clip: Path, tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "photo.png")
    uri = str(clip)
    sources = [
        Source(uri),
        Source(uri, start_s=1.0, end_s=2.0),
        Source(str(tmp_path / "photo.png")),
        Source("/gone"),
    ]
    videos = plan_videos(sources)
    table = np.arange(60, dtype=np.int64) * 40_000_000 + videos[0].first_pts_ns
    for config in (MineConfig(), MineConfig(every=7), MineConfig(fps=5), MineConfig(fps=100)):
        counted = sum(
            len(wanted_indices(table, Segment("v", video, 0, None, None), config.every, config.fps))
            for video in videos[:2]
        )
        guess = estimate(videos, config, Costs(0, 0, looked_at=0.2, looked_at_megapixel=0, face=0, start=0))
        assert (guess.videos, guess.segments) == (3, 3)
        assert guess.frames == pytest.approx(counted + 1, abs=1)
        assert guess.seconds == pytest.approx(guess.frames * 0.2 / 2)
        assert guess.disk_bytes == guess.frames * 5500
