"""`lpff-ray models`, as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import call, complaint


def test_models_list() -> None:
    done = call("models", "list")
    assert done.returncode == 0
    for name in ("blazeface-short", "facemesh", "dlib-resnet", "Apache-2.0", "CC0-1.0"):
        assert name in done.stdout


def test_models_list_as_json() -> None:
    result = json.loads(call("models", "list", "--json").stdout)
    cards = {model["name"]: model for model in result["models"]}
    assert cards["facemesh"]["files"][0]["size_bytes"] > 1e6
    assert cards["yunet"]["from"] == "not pulled"
    assert result["store"]


def test_models_verify_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = {"LPFF_RAY_MODELS": str(tmp_path)}
    result = json.loads(call("models", "verify", "facemesh", "--json", env=store).stdout)
    assert result["ok"] is True
    assert [model["name"] for model in result["models"]] == ["facemesh"]
    (tmp_path / "yunet").mkdir()
    (tmp_path / "yunet" / "yunet_n_640_640.onnx").write_bytes(b"other")
    wrong = call("models", "verify", "--json", env=store)
    assert "not the yunet model" in complaint(wrong)
    assert {model["name"]: model["ok"] for model in json.loads(wrong.stdout)["models"]}["yunet"] is False
