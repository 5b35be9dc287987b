"""What miners are given beside their work, and what is told of a node that lacks something."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.processes import environment, out_of_reach


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


def test_a_folder_that_a_node_can_not_use_is_said_in_one_line() -> None:
    bucket = out_of_reach("s3://bucket/run", "node-7", "access denied")
    assert bucket.startswith(
        "s3://bucket/run can not be used from node node-7: access denied; give its nodes what "
    )
    assert "cluster/README.md" in bucket
    folder = out_of_reach("/mnt/run", "node-7", "it is not visible there")
    assert folder.startswith(
        "/mnt/run is not visible from node node-7: choose a folder of a shared file system"
    )
    assert "\n" not in bucket + folder
