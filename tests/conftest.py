"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real videos and labelled faces; tests that need it are skipped where it is absent."""
    folder = Path(
        os.environ.get("LPFF_RAY_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
    )
    if not (folder / "videos").is_dir():
        pytest.skip(f"no shared data at {folder}: set LPFF_RAY_TEST_DATA to its path")
    return folder
