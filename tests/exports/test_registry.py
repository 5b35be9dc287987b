"""Formats by name, and the one line that a wrong name or option gets."""

from __future__ import annotations

import pytest

from lpff_ray.errors import UserError
from lpff_ray.exports.format import ExportFormat
from lpff_ray.exports.registry import FORMATS, format_class, make_format


@pytest.mark.parametrize("name", FORMATS.names())
def test_every_format_is_named_as_it_is_registered(name: str) -> None:
    cls = format_class(name)
    assert issubclass(cls, ExportFormat)
    assert cls.name == name
    assert make_format(name, {}) == cls(), "no option is without a default"


@pytest.mark.parametrize(
    ("name", "settings", "line"),
    [
        ("nothing", [], "--format nothing: no such format; there are stylegan, eg3d, lpff, "),
        (
            "stylegan",
            ["sise=512"],
            "--format stylegan has no option 'sise'; its options: size, image, mirror, start, base, zip, join, labels, "
            "aging, max_upsampling",
        ),
        ("stylegan", ["size"], "--set size: write it as key=value"),
        ("stylegan", ["size=500"], "--format stylegan: size = 500: Input should be 512 or 1024"),
    ],
)
def test_what_is_wrong_is_one_line(name: str, settings: list[str], line: str) -> None:
    with pytest.raises(UserError) as caught:
        make_format(name, {}, settings)
    assert str(caught.value).startswith(line)


def test_texts_are_taken_as_they_stand_and_other_values_as_json() -> None:
    made = make_format("eg3d", {"size": None}, ["base=", "size=256", "mirror=false"])
    assert made == make_format("eg3d", {"size": 256, "mirror": False})
    assert vars(make_format("reenactment", {}, ["image=mp4"]))["image"] == "mp4"
