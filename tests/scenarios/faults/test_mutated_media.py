"""A few hundred photos and videos with mutated metadata: each is a row, and none ends a run."""

from __future__ import annotations

import random
from pathlib import Path

import mutated_media
import pytest
from mutated_media import mutated, write_seeds
from PIL import Image

import lpff_ray
from lpff_ray.plan import content
from lpff_ray.plan.content import inspect


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.timeout(120)
def test_each_is_frames_or_a_reason(tmp_path: Path) -> None:
    found, escaped = mutated_media.run(300, seed=13, folder=tmp_path)
    assert escaped == []
    assert sum(found.values()) == 300
    assert found["frames"] > 80, found
    assert found["unreadable"] > 30, found


def test_the_seeds_are_sound(tmp_path: Path) -> None:
    for path in write_seeds(tmp_path):
        assert inspect(str(path)).status == "planned", path


def test_mutations_follow_from_the_seed() -> None:
    data = bytes(range(256)) * 20
    assert mutated(data, random.Random("a")) == mutated(data, random.Random("a")) != data


def test_what_a_library_raises_costs_its_file_alone_and_its_traceback_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Side data that PyAV does not know raised a ValueError, and the whole folder was lost."""
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (40, 30), "red" if name == "a.png" else "blue").save(folder / name)

    def failing(opened: object, name: str) -> object:
        raise ValueError("31 is not a valid Type") if name == "a.png" else TypeError("odd\nlines")

    monkeypatch.setattr(content, "probe", failing)
    summary = lpff_ray.mine(folder, out, executor="local")
    assert summary.videos == {"unreadable": 2}
    reasons = dict(lpff_ray.videos(str(out)).select("uri", "reason").iter_rows())
    assert [*reasons.values()] == ["ValueError: 31 is not a valid Type", "TypeError: odd"]
    (log,) = (out / "logs").glob("plan-*.log")
    assert "in failing\n    raise ValueError" in log.read_text()
