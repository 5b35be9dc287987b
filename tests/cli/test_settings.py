"""Options made from a configuration class: its names, types, choices, ranges, defaults and descriptions."""

from __future__ import annotations

from typing import Any, Literal

import click
import pytest
from click.testing import CliRunner
from pydantic import BaseModel, Field

from lpff_ray.cli.settings import setting_options
from lpff_ray.cli.verb import Option, Verb

CHOICES = {"detector": ["ours", "new"], "voters": ["ours", "new"]}
"""As a registry has them."""


class Settings(BaseModel):
    """One field of every kind."""

    every_nth: int | None = Field(default=None, ge=1, description="look at every Nth")
    score: float = Field(default=0.5, gt=0, lt=1, description="lowest score kept")
    share: float = Field(default=30.0, le=100, description="A sentence.")
    decoder: Literal["auto", "pyav"] = Field(default="auto", description="what reads videos")
    votes: tuple[Literal["a", "b"], ...] = Field(default=(), description="who votes")
    densities: tuple[float, ...] = Field(default=(0.1, 0.06), description="falling densities")
    size: Literal[512, 1024] = Field(default=1024, description="side of the crops")
    mirror: bool = Field(default=True, description="mirror images too")
    zip: bool = Field(default=False, description="one zip")
    base: str = ""
    detector: str = Field(default="ours", description="what finds faces")
    voters: tuple[str, ...] = Field(default=(), description="what votes")


def options(ctx: click.Context) -> list[Option]:
    flags = {"zip": "--zip/--folder"}
    return setting_options(Settings, "Section", flags=flags, choices=lambda name: CHOICES.get(name, []))


@click.command(cls=Verb, settings=options)
@click.pass_context
def verb(ctx: click.Context, **settings: Any) -> None:
    """What the options make of it."""
    ctx.obj.append({name: value for name, value in settings.items() if value is not None})


def given(*arguments: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    done = CliRunner().invoke(verb, arguments, obj=found, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return found[0]


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        ([], {}),
        (["--every-nth", "3", "--score", "0.25"], {"every_nth": 3, "score": 0.25}),
        (["--decoder", "pyav"], {"decoder": "pyav"}),
        (["--votes", "b,a"], {"votes": ["b", "a"]}),
        (["--votes", " b , "], {"votes": ["b"]}),
        (["--votes", ""], {"votes": []}),
        (["--densities", "0.2,0.1"], {"densities": [0.2, 0.1]}),
        (["--size", "512"], {"size": 512}),
        (["--no-mirror", "--zip"], {"mirror": False, "zip": True}),
        (["--mirror", "--folder"], {"mirror": True, "zip": False}),
        (["--base", "some=thing"], {"base": "some=thing"}),
        (["--detector", "new", "--voters", "new,ours"], {"detector": "new", "voters": ["new", "ours"]}),
    ],
)
def test_only_what_was_given_is_set(arguments: list[str], settings: dict[str, Any]) -> None:
    assert given(*arguments) == settings
    Settings(**settings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--decoder", "ffmpeg"], "'ffmpeg' is not one of 'auto', 'pyav'"),
        (["--detector", "other"], "'other' is not one of 'ours', 'new'"),
        (["--votes", "a,c"], "'c' is not one of 'a', 'b'"),
        (["--every-nth", "x"], "'x' is not a valid integer"),
        (["--densities", "0.1,x"], "'x' is not a valid float"),
    ],
)
def test_a_value_of_another_kind_is_refused(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(verb, arguments)
    assert done.exit_code == 2
    assert message in done.output


@pytest.mark.parametrize(
    "line",
    [
        "--every-nth N Look at every Nth. [x>=1]",
        "--score NUMBER Lowest score kept. [default: 0.5; 0<x<1]",
        "--share NUMBER A sentence. [default: 30; x<=100]",
        "--decoder NAME What reads videos. One of auto, pyav. [default: auto]",
        "--votes NAME,... Who votes. Some of a, b. [default: none]",
        "--densities NUMBER,... Falling densities. [default: 0.1,0.06]",
        "--size N Side of the crops. One of 512, 1024. [default: 1024]",
        "--mirror / --no-mirror Mirror images too. [default: --mirror]",
        "--zip / --folder One zip. [default: --folder]",
        "--base TEXT",
        "--detector NAME What finds faces. One of ours, new. [default: ours]",
        "--voters NAME,... What votes. Some of ours, new. [default: none]",
    ],
)
def test_the_help_says_what_the_field_does(line: str) -> None:
    help = CliRunner().invoke(verb, ["--help"]).output
    assert line in " ".join(help.split("Section:")[1].split())


def test_some_fields_alone() -> None:
    assert [option.name for option in setting_options(Settings, "", only=("zip", "base"))] == ["zip", "base"]
    assert "zip" not in [option.name for option in setting_options(Settings, "", but=("zip",))]
