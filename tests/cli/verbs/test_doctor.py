"""`lpff-ray doctor`, as a person runs it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from command import call


def test_doctor(tmp_path: Path) -> None:
    done = call("doctor", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stdout
    for subject in ("python", "torch", "model facemesh", "memory", "disk", "output"):
        assert f" {subject}: " in done.stdout
    assert not list((tmp_path / "out").iterdir()), "its trial file is gone"
    (tmp_path / "file").touch()
    refused = call("doctor", "--out", tmp_path / "file" / "out")
    assert refused.returncode == 2
    assert "FAIL output: " in refused.stdout


def test_doctor_as_json() -> None:
    done = call("doctor", "--json")
    result = json.loads(done.stdout)
    assert result["ok"] is True
    assert {"level", "subject", "text", "remedy"} == set(result["findings"][0])


def test_a_package_that_is_too_old_is_said_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lpff_ray.cli.checks.LEAST", {"polars": "1000", "no-such-package": "1"})
    done = call("doctor")
    assert done.returncode == 2
    assert "FAIL polars: " in done.stdout
    assert "is older than 1000; pip install -U polars" in done.stdout
    assert "FAIL no-such-package: not installed; pip install lpff-ray" in done.stdout


def test_elsewhere_than_on_linux_it_is_said_what_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "works" in call("doctor").stdout.split("platform: ")[1].splitlines()[0]
    monkeypatch.setattr(sys, "platform", "darwin")
    done = call("doctor")
    assert done.returncode == 0
    assert "only on Linux work: " in done.stdout
