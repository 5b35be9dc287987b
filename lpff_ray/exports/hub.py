"""Puts a finished export into a data set repository of the Hugging Face Hub."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lpff_ray.errors import UserError
from lpff_ray.exports.card.data_card import README
from lpff_ray.exports.index_files import PROVENANCE_FILE
from lpff_ray.exports.state import DONE_FILE, EXPORT_FILE
from lpff_ray.exports.worker import STATE
from lpff_ray.storage.folder import Folder
from lpff_ray.storage.redaction import redacted_text

EXTRA = "push needs the package huggingface_hub; pip install 'lpff-ray[hub]'"
FILES_PER_COMMIT = 1000
"""The Hub takes long over commits of more files; and a push that was cut short goes on behind the last of them."""


@dataclass(frozen=True)
class PushSummary:
    """The result of `push`. url: of the data set. files, size_bytes: that it holds of the export. private: who made the
    repository said so; one that was there keeps what it was."""

    url: str
    files: int
    size_bytes: int
    private: bool


def push(dest: str, repository: str, *, private: bool = True, message: str = "") -> PushSummary:
    """Put the export in the local folder `dest` into the data set `repository`, USER/NAME; run again to go on.

    What the repository holds already is not sent again. It is made, private unless said otherwise, if it is not there;
    files that it has besides stay. README.md comes last. message: of the commits.

    The token and the server are huggingface_hub's: `hf auth login` or HF_TOKEN, and HF_ENDPOINT. Raises UserError
    without that package, for a folder that holds no finished export, and for what the Hub refuses.
    """
    try:
        from huggingface_hub import CommitOperationAdd, HfApi
    except ImportError:
        raise UserError(EXTRA) from None
    folder = _finished(dest)
    paths = _files(Path(folder.path))
    size = sum(path.stat().st_size for path in paths)
    with _explained(repository):
        api = HfApi(library_name="lpff-ray")
        made = api.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
        for start in range(0, len(paths), FILES_PER_COMMIT):
            some = paths[start : start + FILES_PER_COMMIT]
            names = [path.relative_to(folder.path).as_posix() for path in some]
            api.create_commit(
                made.repo_id,
                [CommitOperationAdd(name, path) for name, path in zip(names, some, strict=True)],
                commit_message=message or f"{len(some)} files of an export of lpff-ray",
                repo_type="dataset",
            )
    return PushSummary(str(made), len(paths), size, private)


def _finished(dest: str) -> Folder:
    """The folder. Raises UserError unless it is a local one with a finished export."""
    folder = Folder(dest)
    if not folder.is_local:
        raise UserError(f"{dest}: push reads local folders only; copy it to a disk first")
    if folder.read(EXPORT_FILE) is None:
        raise UserError(f"{dest}: no export of lpff-ray; give the --dest folder of one")
    if folder.read(DONE_FILE) is None:
        raise UserError(f"{dest}: the export is not finished; run the same lpff-ray export again")
    return folder


def _files(folder: Path) -> list[Path]:
    """The files of the data set, its pictures first, then what speaks of all of them."""
    found = [
        Path(parent, name)
        for parent, folders, names in os.walk(folder)
        for name in names
        if not Path(parent, name).relative_to(folder).parts[0].startswith(".")
    ]
    last = {PROVENANCE_FILE: 1, README: 2}
    return sorted(found, key=lambda path: (last.get(path.relative_to(folder).as_posix(), 0), path))


@contextmanager
def _explained(repository: str) -> Iterator[None]:
    """Turn what huggingface_hub raises into UserErrors."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    try:
        yield
    except HFValidationError as error:
        raise UserError(f"{repository}: no name of a data set; write USER/NAME ({_line(error)})") from None
    except LocalTokenNotFoundError:
        raise UserError("no token of the Hugging Face Hub; run hf auth login, or set HF_TOKEN") from None
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", 0)
        hint = (
            "; run hf auth login, or set HF_TOKEN, with a token that may write there"
            if status in (401, 403)
            else ""
        )
        raise UserError(f"{repository}: the Hub refuses: {_line(error)}{hint}") from error
    except OSError as error:  # requests' errors are such, too
        raise UserError(
            f"{repository}: the Hub can not be reached: {_line(error)}; run the same command again"
        ) from error


def _line(error: Exception) -> str:
    """What it says, on one line, without what a URI may hold."""
    text = str(error).strip().splitlines() or [type(error).__name__]
    return redacted_text(text[0])[:300]


assert STATE.startswith("."), "what the export keeps for itself is not pushed"
