"""A verb of the command line: how its help is laid out, and the options that every verb has."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from lpff_ray.monitoring import log

LEVELS = ("debug", "info", "warning", "error")
OPTIONS, COMMON = "Options", "Output and help"
MOST_LEFT = 30  # columns: a longer option stands on a line of its own


class Formatter(click.HelpFormatter):
    """Help that never breaks a name at one of its hyphens: `--max-quarantine` stays in one piece."""

    def write_text(self, text: str) -> None:
        for number, paragraph in enumerate(text.split("\n\n")):
            if number:
                self.write("\n")
            indent = " " * self.current_indent
            for line in _wrapped(paragraph, self.width - self.current_indent):
                self.write(f"{indent}{line}\n")

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = MOST_LEFT, col_spacing: int = 2
    ) -> None:
        rows = list(rows)
        short = [len(left) for left, _ in rows if len(left) <= col_max]
        column = self.current_indent + max(short, default=col_max) + col_spacing
        for left, right in rows:
            start = f"{' ' * self.current_indent}{left}"
            lines = _wrapped(right, max(self.width - column, 20))
            if lines and len(start) + col_spacing <= column:
                self.write(f"{start:<{column}}{lines.pop(0)}\n")
            else:
                self.write(f"{start}\n")
            self.write("".join(f"{' ' * column}{line}\n" for line in lines))


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False, break_long_words=False)


class HelpContext(click.Context):
    """A context whose help is written by `Formatter`."""

    formatter_class = Formatter


class Option(click.Option):
    """An option with the heading below which `--help` lists it."""

    def __init__(self, param_decls: Sequence[str], *, section: str = OPTIONS, **attributes: Any) -> None:
        super().__init__(param_decls, **attributes)
        self.section = section


class Argument(click.Argument):
    """An argument with a line of help."""

    def __init__(self, param_decls: Sequence[str], *, about: str, **attributes: Any) -> None:
        super().__init__(param_decls, **attributes)
        self.about = about


class Verb(click.Command):
    """A command whose help lists its arguments and, below headings, its options.

    settings: makes the options that stand for fields of configuration classes, when they are asked for: some of those
    classes take seconds to import.
    """

    context_class = HelpContext

    def __init__(
        self,
        *args: Any,
        settings: Callable[[click.Context], Sequence[click.Option]] | None = None,
        **attributes: Any,
    ) -> None:
        super().__init__(*args, **attributes)
        self.short_help = self.short_help or _first_sentence(self.help)
        self._settings = settings
        self.params += _logging_options()

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        key = f"{__name__}.settings of {self.name}"
        if key not in ctx.meta:
            ctx.meta[key] = list(self._settings(ctx)) if self._settings is not None else []
        return [*super().get_params(ctx), *ctx.meta[key]]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        parameters = self.get_params(ctx)
        arguments = [
            (parameter.make_metavar(ctx), parameter.about)
            for parameter in parameters
            if isinstance(parameter, Argument)
        ]
        if arguments:
            with formatter.section("Arguments"):
                formatter.write_dl(arguments)
        _write_options(ctx, formatter, parameters)


class VerbGroup(click.Group):
    """A group of verbs; with no verb after its name it shows its help, as bad usage.

    targets: `module:attribute` of each verb by name. It is imported when it is asked for.
    """

    context_class = HelpContext

    def __init__(self, *args: Any, targets: Mapping[str, str] | None = None, **attributes: Any) -> None:
        attributes |= {"invoke_without_command": True, "callback": _help_if_no_verb}
        super().__init__(*args, **attributes)
        self.short_help = self.short_help or _first_sentence(self.help)
        self._targets = dict(targets or {})
        self.params += _logging_options()

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self._targets, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._targets:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._targets[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        _write_options(ctx, formatter, self.get_params(ctx))


@click.pass_context
def _help_if_no_verb(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(2)


def _write_options(
    ctx: click.Context, formatter: click.HelpFormatter, parameters: Sequence[click.Parameter]
) -> None:
    """The options below their headings, those that every verb has last."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for option in parameters:
        record = None if isinstance(option, click.Argument) else option.get_help_record(ctx)
        if record is not None:
            heading = COMMON if option.is_eager else getattr(option, "section", OPTIONS)
            sections.setdefault(heading, []).append(record)
    for heading in sorted(sections, key=lambda heading: heading == COMMON):
        with formatter.section(heading):
            formatter.write_dl(sections[heading])


def _first_sentence(help: str | None) -> str:
    """What the list of verbs says of one: click would end a longer text in the middle."""
    return " ".join((help or "").split("\n\n")[0].split()).split(". ")[0].rstrip(".")


def _logging_options() -> list[click.Option]:
    def verbose(ctx: click.Context, parameter: click.Parameter, count: int) -> None:
        if count:
            log.configure("INFO" if count == 1 else "DEBUG")

    def level(ctx: click.Context, parameter: click.Parameter, name: str | None) -> None:
        if name is not None:
            log.configure(name.upper())

    return [
        Option(
            ["-v", "--verbose"],
            section=COMMON,
            count=True,
            expose_value=False,
            callback=verbose,
            help="Say on stderr what is done; twice, in detail.",
        ),
        Option(
            ["--log-level"],
            section=COMMON,
            type=click.Choice(LEVELS, case_sensitive=False),
            metavar="NAME",
            expose_value=False,
            callback=level,
            show_default="warning",
            help=f"Least level of what is logged on stderr. One of {', '.join(LEVELS)}.",
        ),
    ]
