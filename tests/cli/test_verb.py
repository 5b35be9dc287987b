"""Help that can be read at 80 columns: no line is longer, no name is cut or broken; and plain when piped."""

from __future__ import annotations

import re

import click
import pytest
from command import call

from lpff_ray.cli.main import VERBS, app
from lpff_ray.exports.registry import FORMATS

COMMANDS = [
    *([verb] for verb in ("", *VERBS)),
    *(["models", verb] for verb in ("list", "pull", "verify")),
    ["evaluate", "verification"],
    *(["export", "--format", name] for name in FORMATS),
]


def parameters(words: list[str]) -> list[click.Parameter]:
    """The parameters of a command, those of the format that it names too."""
    command: click.Command = app
    verbs = [word for word in words if word]
    while isinstance(command, click.Group) and verbs:
        found = command.get_command(click.Context(command), verbs.pop(0))
        assert found is not None
        command = found
    context = click.Context(command)
    context.meta["lpff_ray.cli.verbs.datasets.export.format"] = words[-1] if "--format" in words else ""
    return command.get_params(context)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_at_80_columns(words: list[str]) -> None:
    done = call(*filter(None, words), "--help", env={"COLUMNS": "80"})
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    for cut in ("…", "...\n", "\x1b"):
        assert cut not in re.sub(r"(\[ARGS\]|SRC|NAME|META)\.\.\.\n", "", done.stdout)
    for parameter in parameters(words):
        for name in [*parameter.opts, *parameter.secondary_opts]:
            if name.startswith("--"):
                assert re.search(rf"(?<![\w-]){name}(?![\w-])", done.stdout), (
                    f"{name} is not there in one piece"
                )
        if isinstance(parameter.type, click.Choice):
            for choice in parameter.type.choices:
                assert re.search(rf"(?<![\w-]){choice}(?![\w-])", done.stdout), f"{choice} is cut"


def test_the_list_of_verbs_ends_no_sentence_in_its_middle() -> None:
    help = " ".join(call("--help", env={"COLUMNS": "80"}).stdout.split())
    for end in ("memory, disk and write access", "measured against known values", "a train/test split"):
        assert end in help


def test_every_option_has_a_description() -> None:
    for words in COMMANDS:
        for parameter in parameters(words):
            if isinstance(parameter, click.Option):
                assert parameter.help
                assert not parameter.help.startswith("["), f"{words} {parameter.name}"
