"""dlib's detector as a verifier of crops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut, chelsea, coffee

from lpff_ray.errors import UserError
from lpff_ray.geometry.transforms import crop_transform, warp_crop
from lpff_ray.models.cards import load_cards
from lpff_ray.models.networks.dlib_mmod import CROP, DlibMmod
from lpff_ray.models.runtimes import FaceVerifier

PATH = load_cards()["dlib-mmod"].path()


@pytest.fixture(scope="module")
def verifier() -> FaceVerifier:
    return FaceVerifier(PATH)


def crop(photo: np.ndarray, x: float, y: float, side: float) -> np.ndarray:
    """The square of `side` pixels around a place, shown at 80 pixels in the middle of a crop."""
    return warp_crop(photo, crop_transform(np.array([x, y]), side * CROP / 80, 0.0, CROP), CROP)


def test_a_face_scores_above_a_cup_a_cat_and_grey(verifier: FaceVerifier) -> None:
    others = [
        crop(coffee(), 300, 200, 150),
        crop(chelsea(), 240, 130, 130),
        np.full((CROP, CROP, 3), 128, np.uint8),
    ]
    face, *rest = verifier(np.stack([crop(astronaut(), 224, 125, 105), *others]))
    # dlib itself reports this face with a confidence of about 1 (its threshold is 0).
    assert face == pytest.approx(1.0, abs=0.15)
    assert max(rest) < -0.3


def test_a_crop_does_not_depend_on_its_neighbours(verifier: FaceVerifier) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (7, CROP, CROP, 3), np.uint8)
    together = verifier(crops)
    assert np.array_equal(together, np.concatenate([verifier(crops[i : i + 1]) for i in range(7)]))
    assert verifier(crops[:0]).shape == (0,)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not dlib's face detector"):
        DlibMmod(load_cards()["dlib-resnet"].path())
    (tmp_path / "cut.dat").write_bytes(PATH.read_bytes()[:300_000])
    with pytest.raises(UserError, match=r"cut\.dat: not dlib's face detector"):
        DlibMmod(tmp_path / "cut.dat")
    with pytest.raises(UserError, match=r"absent\.dat: can not be read"):
        DlibMmod(tmp_path / "absent.dat")
