"""What miners are given beside their work."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.processes import environment


def test_miners_look_for_models_where_the_driver_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LPFF_RAY_MODELS", raising=False)
    assert set(environment()) == {"OMP_NUM_THREADS", "MKL_NUM_THREADS"}
    monkeypatch.setenv("LPFF_RAY_MODELS", "weights")
    assert environment()["LPFF_RAY_MODELS"] == str(tmp_path / "weights")
    monkeypatch.setenv("LPFF_RAY_MODELS", "s3://bucket/weights")
    assert environment()["LPFF_RAY_MODELS"] == "s3://bucket/weights"


def test_limits_that_were_moved_hold_for_every_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LPFF_RAY_MAX_MEGAPIXELS", "400")
    assert environment()["LPFF_RAY_MAX_MEGAPIXELS"] == "400"
