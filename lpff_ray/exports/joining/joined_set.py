"""What data sets that continue an older one have in common: their index, their zip, and what to say of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from lpff_ray.curate.dataset_json import DATASET_JSON
from lpff_ray.errors import UserError
from lpff_ray.exports.format import OutputFile, Record, read_made
from lpff_ray.exports.joining.base_set import BaseSet
from lpff_ray.exports.packing import zip_chunks
from lpff_ray.storage.failures import explain
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.opening import opened
from lpff_ray.storage.uri import absolute


def check_joined(join: bool, base: str, zip: bool) -> None:
    """Raises UserError where `join` has nothing to join, or nothing to join it in."""
    if join and not (base and zip):
        raise UserError("join makes one zip of a base and the new pictures: set base and zip too")
    if join and base.endswith(".json"):
        raise UserError(f"{base}: holds no pictures to join; give the folder or zip as base")


def joined_notes(base: str, join: bool, start: int) -> list[str]:
    """What to do with a set that continues another."""
    if not base:
        return []
    numbering = (
        f"numbered from {start}; {DATASET_JSON} and the lists are those of {base} and of these together"
    )
    return [numbering if join else f"{numbering}: lay the pictures beside the base's to train with both"]


def index_chunks(labels: Iterable[tuple[str, Any]] | None) -> Iterator[bytes]:
    """`dataset.json`, a line per picture: half a million of EG3D's labels as Python's numbers take a gigabyte."""
    if labels is None:
        yield json.dumps({"labels": None}).encode()
        return
    yield b'{"labels": ['
    for position, pair in enumerate(labels):
        yield (b",\n" if position else b"") + json.dumps(pair).encode()
    yield b"]}"


def zip_of(
    made: Folder, records: Sequence[Record], base: BaseSet | None, files: Sequence[OutputFile]
) -> Iterator[bytes]:
    """The bytes of one zip: the base's pictures, if there is one, the new ones, then `files`."""
    old = base.contents(base.names) if base else ()
    new = ((name, read_made(made, name)) for record in records for name in record["files"])
    index = (
        (file.name, file.content if isinstance(file.content, bytes) else b"".join(file.content))
        for file in files
    )
    return zip_chunks(chain(old, new, index))


def content_hash(uri: str) -> str:
    """What tells the content of a file from others. Raises UserError if it can not be read."""
    try:
        with opened(absolute(uri)) as (file, _):
            return hashlib.sha256(file.read()).hexdigest()[:16]
    except OSError as error:
        raise UserError(f"{uri}: {explain(error, uri)}") from None
