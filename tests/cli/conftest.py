"""A short clip and a finished run of it, for the tests of all verbs."""

from __future__ import annotations

from pathlib import Path

import pytest
from clips import portrait, write_clip
from command import call


@pytest.fixture(scope="package")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 s of one face."""
    path = tmp_path_factory.mktemp("cli") / "clip.mp4"
    return write_clip(path, 100, size=(320, 240), picture_of=lambda i, w, h: portrait(i % 25, w, h), gop=25)


@pytest.fixture(scope="package")
def out(clip: Path) -> Path:
    """A finished run of two segments, 10 faces in 10 frames. To be read only."""
    folder = clip.parent / "run"
    done = call("mine", clip, "--out", folder, "--every", "10", "--segment-seconds", "2")
    assert done.returncode == 0, done.stderr
    assert "2 segments mined now, 0 before, of 2; 10 faces in 10 frames" in done.stdout
    return folder
