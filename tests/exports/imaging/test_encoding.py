"""Pictures come back from their files as they were, and PNGs are as small as photos allow."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from lpff_ray.exports.imaging.encoding import encode_image


def opened(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image)


@pytest.mark.parametrize("picture", [astronaut(), astronaut()[..., 1].copy()], ids=["colour", "gray"])
def test_png_is_lossless_and_the_same_every_time(picture: np.ndarray) -> None:
    content = encode_image(picture, "00000/img00000000.png")
    assert np.array_equal(opened(content), picture)
    assert encode_image(picture, "a.png") == content


def test_png_is_smaller_than_by_zlibs_search_at_the_same_level() -> None:
    searched = cv2.imencode(".png", astronaut(), [cv2.IMWRITE_PNG_COMPRESSION, 3])[1]
    assert len(encode_image(astronaut(), "a.png")) < len(searched)


def test_jpeg_keeps_the_colour_of_every_pixel() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = (200, 40, 40)
    stripes[:, 1::2] = (40, 40, 200)
    off = np.abs(opened(encode_image(stripes, "a.jpg")).astype(int) - stripes)
    assert off.max() < 16, "4:2:0 would mix red and blue columns to 120"


def test_other_endings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a.gif: pictures end with .png or .jpg"):
        encode_image(astronaut(), "a.gif")
