"""Options of the command line made from the fields of configuration classes.

A setting is declared once, as a field of a pydantic model: its description becomes the help, its type the kind of
value, its default and its range are shown, and its choices are checked. The option of `min_face_px` is
`--min-face-px`. An option that was not given is None, so that what a file or a preset says stays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lpff_ray.cli.verb import Option

BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
"""How a range is written, by the attribute of pydantic's constraint."""


class CommaList(click.ParamType):
    """Several values in one text, commas between: "fsanet,6drepnet". An empty text is an empty list."""

    name = "list"

    def __init__(self, item: click.ParamType) -> None:
        self.item = item

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[Any]:
        parts = value.split(",") if isinstance(value, str) else value
        return [self.item.convert(part.strip(), param, ctx) for part in parts if str(part).strip()]


def setting_options(
    model: type[BaseModel],
    section: str,
    *,
    only: Collection[str] = (),
    but: Collection[str] = (),
    flags: Mapping[str, str] | None = None,
    choices: Callable[[str], Sequence[str]] | None = None,
) -> list[Option]:
    """An option for each field of `model`.

    section: heading in the help. only: fields wanted, all if empty; but: fields left out. flags: how an option is
    written where it is not `--field-name`, by field, as in {"zip": "--zip/--folder"}. choices: the names that a field
    takes, where its type does not say them, such as those of a registry; none where it takes no names.
    """
    return [
        setting_option(
            name,
            field,
            section,
            default=default_text(field.default),
            flag=(flags or {}).get(name, ""),
            choices=choices(name) if choices else (),
        )
        for name, field in model.model_fields.items()
        if (not only or name in only) and name not in but
    ]


def setting_option(
    name: str,
    field: FieldInfo,
    section: str,
    *,
    default: str = "",
    flag: str = "",
    choices: Sequence[str] = (),
) -> Option:
    """The option of one field. default: what the help says it is, "" for nothing. flag, choices: see above."""
    kind = _kind(field.annotation)
    if choices:
        chosen = click.Choice(list(choices))
        kind = CommaList(chosen) if isinstance(kind, CommaList) else chosen
    option = f"--{name.replace('_', '-')}"
    if kind is click.BOOL:
        flag = flag or f"{option}/--no-{option[2:]}"
        default = default and {"True": flag.split("/")[0], "False": flag.split("/")[-1]}.get(default, default)
        return Option([flag, name], section=section, default=None, help=_help(field, kind, default))
    return Option(
        [flag or option, name],
        section=section,
        type=kind,
        default=None,
        metavar=_metavar(kind),
        help=_help(field, kind, default),
    )


def _kind(annotation: Any) -> click.ParamType:
    """The type of an option for a field's annotation; what is no number, flag or choice is taken as a text."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        known = [argument for argument in arguments if argument is not NoneType]
        return _kind(known[0]) if len(known) == 1 else click.STRING
    if origin is tuple or origin is list:
        return CommaList(_kind(arguments[0]))
    if origin is Literal:
        texts = all(isinstance(choice, str) for choice in arguments)
        return click.Choice(arguments) if texts else _kind(type(arguments[0]))
    return {bool: click.BOOL, int: click.INT, float: click.FLOAT}.get(annotation, click.STRING)


def _metavar(kind: click.ParamType) -> str:
    if isinstance(kind, CommaList):
        return f"{_metavar(kind.item)},..."
    if isinstance(kind, click.Choice):
        return "NAME"
    return {click.INT.name: "N", click.FLOAT.name: "NUMBER"}.get(kind.name, "TEXT")


def _help(field: FieldInfo, kind: click.ParamType, default: str) -> str:
    """What a field is, its choices, its default and its range: "Lowest score kept.  [default: 0.5; 0<=x<=1]"."""
    description = " ".join((field.description or "").split())
    sentences = [description[:1].upper() + description[1:]] if description else []
    choices = _choices(field.annotation, kind)
    if choices:
        sentences.append(f"{'Some' if isinstance(kind, CommaList) else 'One'} of {', '.join(choices)}")
    text = " ".join(sentence if sentence.endswith(".") else f"{sentence}." for sentence in sentences)
    facts = [f"default: {default}"] if default else []
    facts += [_range(field)] if _range(field) else []
    return f"{text}  [{'; '.join(facts)}]" if facts else text


def _choices(annotation: Any, kind: click.ParamType) -> Sequence[str]:
    item = kind.item if isinstance(kind, CommaList) else kind
    if isinstance(item, click.Choice):
        return [str(choice) for choice in item.choices]
    if get_origin(annotation) is Literal:
        return [str(choice) for choice in get_args(annotation)]
    return []


def _range(field: FieldInfo) -> str:
    """A field's range as click writes them: "x>=1", "0<=x<=1"."""
    found = {
        name: bound
        for constraint in field.metadata
        for name in BOUNDS
        if (bound := getattr(constraint, name, None)) is not None
    }
    low = next(
        (f"{found[name]:g}{BOUNDS[name].replace('>', '<')}" for name in ("ge", "gt") if name in found), ""
    )
    high = next((f"{BOUNDS[name]}{found[name]:g}" for name in ("le", "lt") if name in found), "")
    if low and not high:
        return next(f"x{BOUNDS[name]}{found[name]:g}" for name in ("ge", "gt") if name in found)
    return f"{low}x{high}" if high else ""


def default_text(value: Any) -> str:
    """A default as the help shows it; "" for what has none, or an empty text."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return ",".join(map(default_text, value)) or "none"
    return str(value) if isinstance(value, (int, str)) else ""
