from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from lpff_ray.errors import UserError
from lpff_ray.models.cards import load_cards, verify

CARDS = load_cards()


def test_the_embedded_models_have_cards() -> None:
    assert list(CARDS) == ["blazeface-short", "dlib-mmod", "facemesh", "posenet", "dlib-resnet"]


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
