"""The formats of `lpff-ray export --format`, and a format made of the options that a person gave.

A new format is a file in `formats/` and a line in FORMATS, or an entry point of another package.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lpff_ray.errors import UserError
from lpff_ray.registry import Registry

if TYPE_CHECKING:
    from lpff_ray.exports.format import ExportFormat

FORMATS: Registry[type[ExportFormat]] = Registry(
    "format",
    "lpff_ray.formats",
    {
        "stylegan": "lpff_ray.exports.formats.stylegan:StyleGan",
        "eg3d": "lpff_ray.exports.formats.eg3d:Eg3d",
        "lpff": "lpff_ray.exports.formats.lpff:Lpff",
        "efhq": "lpff_ray.exports.formats.efhq:EfhqTables",
        "verification": "lpff_ray.exports.formats.verification:Verification",
        "controlnet": "lpff_ray.exports.formats.controlnet:ControlNet",
        "webdataset": "lpff_ray.exports.formats.webdataset:WebDataset",
        "imagefolder": "lpff_ray.exports.formats.imagefolder:ImageFolder",
        "reenactment": "lpff_ray.exports.formats.reenactment:Reenactment",
        "clips": "lpff_ray.exports.formats.clips:Clips",
    },
)


def format_class(name: str) -> type[ExportFormat]:
    """The class of the format `name`, imported; its fields are the format's options.

    Raises UserError for an unknown name, and where another package's can not be imported or is no ExportFormat.
    """
    if name not in FORMATS:
        raise UserError(f"--format {name}: no such format; there are {', '.join(FORMATS)}")
    found = FORMATS.load(name)
    from lpff_ray.exports.format import ExportFormat  # polars and decoders, which the list of names needs not

    if not (isinstance(found, type) and issubclass(found, ExportFormat)):
        raise UserError(f"--format {name}: {found!r} is no class of lpff_ray.exports.format.ExportFormat")
    return found


def check_option(name: str, option: str) -> None:
    """Raises UserError, with the options that there are, if the format `name` has no option `option`."""
    found = format_class(name)
    if option not in found.model_fields:
        own = vars(found).get("__annotations__", {})
        have = ", ".join(sorted(found.model_fields, key=lambda field: field not in own)) or "none"
        raise UserError(f"--format {name} has no option {option!r}; its options: {have}")


def make_format(name: str, flags: Mapping[str, Any], settings: Sequence[str] = ()) -> ExportFormat:
    """The format `name` with its options.

    flags: values by option, None where not given. settings: "key=value" each, values as in JSON, or plain texts; where
    the option is a text, such as a file's name, it is taken as it stands.
    Raises UserError for an unknown format, and for options that it does not have or values that it does not take.
    """
    from pydantic import ValidationError  # the command line needs none of it to explain itself

    cls = format_class(name)
    options = {key: value for key, value in flags.items() if value is not None}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"--set {setting}: write it as key=value")
        field = cls.model_fields.get(key)
        options[key] = text if field is not None and field.annotation is str else _value(text)
    try:
        return cls(**options)
    except ValidationError as error:
        first = error.errors()[0]
        wrong = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            check_option(name, wrong)
        raise UserError(f"--format {name}: {wrong} = {first['input']!r}: {first['msg']}") from None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
