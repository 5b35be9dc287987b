from __future__ import annotations

import hashlib
import json
from pathlib import Path

import fsspec
import pytest
from other_package import install
from PIL import Image
from pydantic import ValidationError
from skimage.data import astronaut

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.errors import UserError
from lpff_ray.models import store
from lpff_ray.models.cards import load_cards, load_plugins, verify

CARDS = load_cards()
WEIGHTS = b"all that the tilt needs to know"
CARD_MODULE = f"""
import numpy as np
import polars as pl
from lpff_ray.measure.contract import Measure
from lpff_ray.models.cards import PluginCard, PluginFile
from lpff_ray.models.store import plugin, plugin_files

TILT = PluginCard(
    name="tilt",
    task="pose",
    licence="MIT",
    input="a picture",
    output="a number",
    batch="any",
    citation="none",
    files=(PluginFile(name="tilt.bin", urls=(), sha256="{hashlib.sha256(WEIGHTS).hexdigest()}"),),
)
BLAZEFACE = TILT.model_copy(update={{"name": "yunet", "licence": "another"}})

class Tilt(Measure):
    name = "tilt"
    columns = pl.Schema({{"slant": pl.Float32()}})

    def __init__(self, device):
        super().__init__(device)
        self.size = len(plugin_files(plugin("tilt"))[0].read_bytes())

    def measure(self, faces):
        return {{"slant": np.full(len(faces), self.size, np.float32)}}
"""


@pytest.fixture
def other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package with the card of a model, a measure that uses it, and a card under a name of ours."""
    monkeypatch.setenv("LPFF_RAY_MODELS", str(tmp_path / "store"))
    install(
        tmp_path / "site",
        monkeypatch,
        {"tilting": CARD_MODULE},
        {
            "lpff_ray.model_cards": "tilt = tilting:TILT\nyunet = tilting:BLAZEFACE",
            "lpff_ray.measures": "tilt = tilting:Tilt",
        },
    )


def test_the_embedded_models_have_cards() -> None:
    assert list(CARDS) == [
        "centerface",
        "blazeface-short",
        "dlib-mmod",
        "facemesh",
        "facemesh-attention",
        "posenet",
        "dlib-resnet",
    ]


@pytest.mark.parametrize("name", CARDS)
def test_the_installed_file_is_the_one_of_the_card(name: str) -> None:
    verify(CARDS[name])
    assert CARDS[name].path().stat().st_size == CARDS[name].size_bytes


def test_a_card_can_not_be_changed() -> None:
    with pytest.raises(ValidationError):
        CARDS["facemesh"].sha256 = "0" * 64


def test_another_file_under_the_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = CARDS["facemesh"].model_copy(update={"package": "tampered_package", "file": "face.tflite"})
    folder = tmp_path / "tampered_package"
    folder.mkdir()
    (folder / "__init__.py").touch()
    data = bytearray(CARDS["facemesh"].path().read_bytes())
    data[-1] ^= 1
    (folder / "face.tflite").write_bytes(data)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"face\.tflite: not the facemesh model .* pip install") as caught:
        verify(card)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("other_package")
def test_another_packages_card_comes_after_ours_and_never_replaces_one() -> None:
    cards = load_plugins()
    assert list(cards)[-1] == "tilt"
    assert cards["tilt"].licence == "MIT"
    assert cards["yunet"].licence != "another"


@pytest.mark.usefixtures("other_package")
def test_a_missing_file_of_another_packages_model_ends_a_run_before_it_begins(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    Image.fromarray(astronaut()).save(photo)
    with pytest.raises(
        UserError, match=r"model tilt: .*tilt/tilt\.bin is missing: lpff-ray models pull tilt"
    ):
        lpff_ray.mine(photo, tmp_path / "run", MineConfig(measures=["tilt"]), device="cpu")
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("other_package")
def test_another_packages_model_is_pulled_used_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsspec.filesystem("memory").pipe_file("/mirror-of-tilt/tilt/tilt.bin", WEIGHTS)
    monkeypatch.setenv("LPFF_RAY_MODELS", "memory://mirror-of-tilt")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert "pulled from" in store.pull(store.plugin("tilt"))[0]
    photo = tmp_path / "photo.png"
    Image.fromarray(astronaut()).save(photo)
    config = MineConfig(measures=["tilt"])
    lpff_ray.mine(photo, tmp_path / "run", config, device="cpu")
    assert lpff_ray.scan(str(tmp_path / "run")).collect()["slant"].to_list() == [len(WEIGHTS)]
    recorded = json.loads((tmp_path / "run" / "run.json").read_text())["plugins"]
    assert [(card["name"], card["licence"]) for card in recorded] == [("tilt", "MIT")]
    assert recorded[0]["files"][0]["sha256"] == hashlib.sha256(WEIGHTS).hexdigest()
