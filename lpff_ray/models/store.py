"""The model store: the folder of optional models' files; downloads them, and checks that they are the right ones.

A file is in the store as `CARD/FILE`. The store is a folder of the user's cache, or `LPFF_RAY_MODELS` where that is a
local folder. Where it is any other fsspec URI, files are pulled from there first (a mirror). Only `pull` downloads.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from lpff_ray.errors import UserError
from lpff_ray.models.cards import PluginCard, PluginFile, load_plugins, sha256_of
from lpff_ray.storage.failures import explain
from lpff_ray.storage.opening import opened
from lpff_ray.storage.uri import absolute

MIRROR = "LPFF_RAY_MODELS"
BLOCK = 1 << 20


def store_folder() -> Path:
    """The folder that holds the files; it need not exist."""
    mirror = _mirror()
    if os.path.isabs(mirror):
        return Path(mirror)
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache) / "lpff_ray" / "models"


def chosen(names: Collection[str]) -> list[PluginCard]:
    """The cards of the optional models among `names`, such as a configuration's `model_names`."""
    return [card for name, card in load_plugins().items() if name in names]


def plugin(name: str) -> PluginCard:
    """The card of a plug-in. Raises UserError for an unknown name, with the known ones."""
    cards = load_plugins()
    if name not in cards:
        raise UserError(f"model {name}: no such plug-in; there are {', '.join(cards)}")
    return cards[name]


def stored(card: PluginCard, file: PluginFile) -> Path:
    """The path of a file in the store, whether it is there or not."""
    return store_folder() / card.name / file.name


def is_stored(card: PluginCard) -> bool:
    """Whether all files of a plug-in are in the store, right or wrong."""
    return all(stored(card, file).is_file() for file in card.files)


def plugin_files(card: PluginCard) -> list[Path]:
    """The files of a plug-in in the card's order, each with the card's hash where it states one.

    Raises UserError, which says what to do, for a file that is missing or wrong.
    """
    for file in card.files:
        _checked_digest(card, file)
    return [stored(card, file) for file in card.files]


def describe(card: PluginCard) -> dict[str, Any]:
    """What `run.json` records of a plug-in: name, licence, and the hashes found. Raises UserError as `plugin_files`."""
    files = [{"name": file.name, "sha256": _checked_digest(card, file)} for file in card.files]
    return {"name": card.name, "licence": card.licence, "files": files}


def verify_plugin(card: PluginCard) -> list[str]:
    """One line per file that is in order. Raises UserError for one that is missing or wrong."""
    lines = []
    for file in card.files:
        digest = _checked_digest(card, file)
        text = (
            "sha256 as on its card"
            if file.sha256
            else f"sha256 {digest}; its card states none to compare with"
        )
        lines.append(f"{stored(card, file)}: {text}")
    return lines


def pull(card: PluginCard) -> list[str]:
    """Fetch the files of a plug-in that are not in the store or not the right ones. One line per file.

    A file is downloaded from the mirror, else from its card's addresses, and moved into the store whole, once its hash
    is right. Raises UserError, and leaves the store as it is, for a wrong hash or if the file can not be downloaded.
    """
    return [_pull_file(card, file) for file in card.files]


def _pull_file(card: PluginCard, file: PluginFile) -> str:
    target = stored(card, file)
    if target.is_file() and (file.sha256 is None or sha256_of(target) == file.sha256):
        return f"{target}: here already"
    reasons = []
    for source in _sources(card, file):
        try:
            digest = _fetch(source, target, card, file)
        except OSError as error:
            reasons.append(f"{source}: {explain(error, source)}")
            continue
        known = "" if file.sha256 else f"; sha256 {digest}, its card states none to compare with"
        return f"{target}: pulled from {source}{known}"
    why = "; ".join(reasons) or "it has no public address"
    raise UserError(
        f"model {card.name}: {file.name} can not be fetched ({why}): put the file at {target} yourself, or set "
        f"{MIRROR} to a folder or URI that holds {card.name}/{file.name}"
    )


def _sources(card: PluginCard, file: PluginFile) -> Sequence[str]:
    mirror = _mirror()
    mirrored = (
        [] if not mirror or os.path.isabs(mirror) else [f"{mirror.rstrip('/')}/{card.name}/{file.name}"]
    )
    return [*mirrored, *file.urls]


def _fetch(source: str, target: Path, card: PluginCard, file: PluginFile) -> str:
    """Copy a source into the store and return its hash.

    Raises OSError if the source can not be read, UserError if the store can not be written or the hash is wrong.
    """
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        with opened(source) as (stream, _):
            found = _copy(stream, temporary)
        if file.sha256 not in (None, found):
            raise UserError(
                f"{source}: not the {card.name} model (sha256 {found[:12]}..., expected "
                f"{str(file.sha256)[:12]}...): refused"
            )
        with _store_failures(target.parent):
            os.replace(temporary, target)
    finally:
        with suppress(OSError):  # not written, or moved already
            temporary.unlink()
    return found


def _copy(stream: BinaryIO, target: Path) -> str:
    """Write all of a stream into a new file, to the disk, and return its hash."""
    digest = hashlib.sha256()
    with _store_failures(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = open(target, "xb")  # noqa: SIM115
    with copy:
        while block := stream.read(BLOCK):
            digest.update(block)
            with _store_failures(target.parent):
                copy.write(block)
        with _store_failures(target.parent):
            copy.flush()
            os.fsync(copy.fileno())
    return digest.hexdigest()


@contextmanager
def _store_failures(folder: Path) -> Iterator[None]:
    """A store that can not be written ends the pull: no other source would help."""
    try:
        yield
    except OSError as error:
        reason = f"{folder}: can not be written: {error.strerror}; set {MIRROR} to a folder that can"
        raise UserError(reason) from None


def _checked_digest(card: PluginCard, file: PluginFile) -> str:
    path = stored(card, file)
    if not path.is_file():
        raise UserError(
            f"model {card.name}: {path} is missing: lpff-ray models pull {card.name}, or set {MIRROR} to a folder or "
            f"URI that holds {card.name}/{file.name}"
        )
    digest = sha256_of(path)
    if file.sha256 not in (None, digest):
        raise UserError(
            f"{path}: not the {card.name} model (sha256 {digest[:12]}..., expected {str(file.sha256)[:12]}...): "
            f"remove it, then lpff-ray models pull {card.name}"
        )
    return digest


def _mirror() -> str:
    """`LPFF_RAY_MODELS` as an absolute path or a URI; "" if it is not set."""
    mirror = os.environ.get(MIRROR, "")
    return absolute(mirror) if mirror else ""
