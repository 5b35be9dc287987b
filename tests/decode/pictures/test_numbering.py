"""Which names are those of a clip's frames."""

from __future__ import annotations

import pytest

from lpff_ray.decode.pictures.numbering import is_clip_name, is_frame_prefix, numbered_pictures


def test_a_series_is_in_the_order_of_its_numbers() -> None:
    series = numbered_pictures(["a_10.png", "a_9.PNG", "a_2.jpg", "a_2.txt", ".a_3.png", "boxes.json"])
    assert series is not None
    assert (series.names, series.numbers) == (("a_2.jpg", "a_9.PNG", "a_10.png"), (2, 9, 10))
    assert series.prefix == "a_"


@pytest.mark.parametrize(
    "names",
    [
        ["1.png"],
        ["a1.png", "b2.png"],
        ["1.png", "2.png", "cover.png"],
        ["01.png", "1.png"],  # which is frame 1?
        ["1.txt", "2.txt"],
        [],
    ],
)
def test_what_is_no_series(names: list[str]) -> None:
    assert numbered_pictures(names) is None


@pytest.mark.parametrize(
    ("name", "is_clip"),
    [
        ("Clip+_-91nXXjrVo+P0+C0+F1537-1825", True),
        ("Clip+_-91nXXjrVo+P0+C0+F1537-1825.zip", True),
        ("id10280#NTkdr2oRZ-A#001234#001345.mp4", True),
        ("M2Ohb0FAaJU_1", True),
        ("photography_1", False),
        ("00000", False),  # FFHQ's folders
        ("holiday2019_01", False),
    ],
)
def test_names_of_data_sets_clips(name: str, is_clip: bool) -> None:
    assert is_clip_name(name) is is_clip


@pytest.mark.parametrize(
    ("prefix", "is_frame"),
    [
        ("frame", True),
        ("Frame_", True),
        ("take 2 frame-", True),
        ("img", False),
        ("", False),
        ("framed ", False),
    ],
)
def test_prefixes_that_say_frame(prefix: str, is_frame: bool) -> None:
    assert is_frame_prefix(prefix) is is_frame
