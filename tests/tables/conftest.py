"""A run to commit parts to."""

from __future__ import annotations

from pathlib import Path

import pytest
from random_faces import CONFIG

from lpff_ray.tables.run import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(str(tmp_path / "out"), CONFIG).begin()
