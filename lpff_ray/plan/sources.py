"""From what a user names (files, folders, globs, URIs, manifests) to the list of sources to look at."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import fsspec

from lpff_ray.decode.pictures.sequence import DEFAULT_FPS
from lpff_ray.errors import UserError
from lpff_ray.plan.clip_lists import Downloads, is_celebvhq, is_vfhq, read_celebvhq, read_vfhq
from lpff_ray.plan.manifest import Source, is_manifest, read_manifest
from lpff_ray.plan.sequences import Pictures, with_sequences
from lpff_ray.storage.failures import OPEN_ERRORS, explain, storage_failures
from lpff_ray.storage.filesystems import bounded_filesystem
from lpff_ray.storage.redaction import redacted_text
from lpff_ray.storage.uri import absolute, protocol_of, split_chain

__all__ = ["Source", "expand"]


def expand(
    names: Sequence[str], videos: str = "", pictures: Pictures = "auto", fps: float = DEFAULT_FPS
) -> list[Source]:
    """Every file that `names` stand for, each once, in the order of `names` and sorted within each.

    A name is a file, a folder (listed recursively; hidden files are skipped, all others are kept, so that what
    is no video becomes a row with a reason), a glob (`**` for any depth; files only), an fsspec URI of any of
    these, a zip, a manifest (see `lpff_ray.plan.manifest`) or the clip list of CelebV-HQ or VFHQ (see
    `lpff_ray.plan.clip_lists`). Zips and lists count only where named themselves, not where found in a folder or by a
    glob; VFHQ's texts count everywhere. A file that literally has the name wins over its reading as a glob.

    videos: folder or fsspec URI of the videos that clip lists speak of, searched recursively; "" for
        $LPFF_RAY_VIDEOS or else the folder of the list.
    pictures: what folders of numbered pictures are taken for, see `sequences.with_sequences`. fps: frames per second of
        sequences of which no manifest says it.

    Raises UserError, naming it and the remedy, for one that does not exist, holds or matches no file, or
    cannot be reached; what a manifest or clip list names is not checked here.
    """
    library = VideoLibrary(videos or os.environ.get("LPFF_RAY_VIDEOS", ""))
    sources: dict[Source, None] = {}
    for name in names:
        if not name:
            raise UserError("an empty source was given: name a file, folder, glob, URI or manifest")
        try:
            sources.update(dict.fromkeys(_expand(name, library, pictures, fps)))
        except UserError as error:
            raise UserError(redacted_text(str(error))) from error
    return list(sources)


class VideoLibrary:
    """Finds the videos that clip lists speak of; each folder is listed once, when first asked for."""

    def __init__(self, folder: str) -> None:
        """folder: where all videos are, as a user wrote it; "" if they are beside each list."""
        self._folder = folder
        self._listed: dict[str, Downloads] = {}

    def of(self, clip_list: str) -> Downloads:
        """The downloads for the list at this uri. Raises UserError if there is no such folder, or it is empty."""
        folder = self._folder or (split_chain(clip_list)[1] or clip_list).rpartition("/")[0] or "/"
        if folder not in self._listed:
            uri = absolute(folder)
            self._listed[folder] = Downloads(uri, _list(uri, folder))
        return self._listed[folder]


def _expand(name: str, library: VideoLibrary, pictures: Pictures, fps: float) -> list[Source]:
    named = absolute(name)
    if _is_zip(named):
        named = f"zip://::{named}"
    found = _list(named, name)
    if found == [named] and is_celebvhq(named):
        return read_celebvhq(named, library.of(named))
    clips = [read_vfhq(uri, library.of(uri)) for uri in found if is_vfhq(uri)]
    if clips:
        # Videos beside their annotations are there for the clips, not to be mined whole.
        taken = {clip.uri for clip in clips}
        return clips + [Source(uri) for uri in found if uri not in taken and not is_vfhq(uri)]
    if found == [named] and is_manifest(named):
        sources = read_manifest(named)
        _check_protocols(named, sources)
        return [replace(one, fps=fps) if one.kind and one.fps is None else one for one in sources]
    return with_sequences(found, pictures, fps)


def files_of(name: str) -> list[str]:
    """The uris of the files that a name stands for: a file, those of a folder or zip at any depth, those of a glob.

    Raises UserError as `expand` does.
    """
    named = absolute(name)
    if _is_zip(named):
        named = f"zip://::{named}"
    return _list(named, name)


def _is_zip(uri: str) -> bool:
    return uri.lower().endswith(".zip") and not split_chain(uri)[1] and not os.path.isdir(uri)


def _list(uri: str, name: str) -> list[str]:
    """The uris of the files that a uri names. name: as a user wrote it, for messages."""
    if os.path.isabs(uri):
        return _list_local(uri, name)
    try:
        with storage_failures(uri, *OPEN_ERRORS):
            return _list_remote(uri, name)
    except OSError as error:
        raise UserError(f"{name}: {explain(error, uri)}") from None


def _list_local(path: str, name: str) -> list[str]:
    """Absolute paths of the files that a local path or glob names."""
    if os.path.isdir(path):
        found = _walk(path)
        if not found:
            raise UserError(f"{name}: the folder holds no files; check the path")
        return found
    if os.path.lexists(path):
        return [path]
    if not glob.has_magic(path):
        raise UserError(f"{name}: no such file or folder; check the path")
    # Only what lies below the deepest folder that literally exists is a pattern: "[a] b/*.mp4" is not a set.
    root = os.path.dirname(path)
    while not os.path.isdir(root):
        root = os.path.dirname(root)
    matches = glob.glob(os.path.relpath(path, root), root_dir=root, recursive=True)
    found = sorted(os.path.join(root, match) for match in matches)
    found = [match for match in found if not os.path.isdir(match)]
    if not found:
        raise UserError(
            f"{name}: the pattern matches no file; check it, or use ** to search folders in folders"
        )
    return found


def _walk(top: str) -> list[str]:
    """Every file below a folder, sorted; folders that cannot be listed stand for themselves."""
    found: list[str] = []
    seen = {os.path.realpath(top)}

    def refused(error: OSError) -> None:
        if error.filename == top:
            raise UserError(f"{top}: the folder cannot be listed: {explain(error, top)}") from None
        found.append(error.filename)

    for folder, folders, files in os.walk(top, onerror=refused, followlinks=True):
        found += [os.path.join(folder, name) for name in files if not name.startswith(".")]
        entered = []
        for name in sorted(folders):
            real = os.path.realpath(os.path.join(folder, name))
            # Data sets are often folders of links; a link to a folder above would never end.
            if not name.startswith(".") and real not in seen:
                seen.add(real)
                entered.append(name)
        folders[:] = entered
    return sorted(found)


def _list_remote(uri: str, name: str) -> list[str]:
    """URIs of the files that a URI or a glob of URIs names."""
    head, archive = split_chain(uri)
    filesystem, path = bounded_filesystem(uri)
    # In web addresses a question mark starts the query.
    magic = "*[" if head.startswith(("http://", "https://")) else "*?["
    pattern = any(letter in path for letter in magic)
    kind = _kind(filesystem, path, uri, forgive=pattern)
    if head.endswith("/") or kind == "directory":
        entries, root = filesystem.find(path, detail=True), path
        complaint = "the folder holds no files; check the address"
    elif kind:
        return [uri]
    elif pattern:
        entries = filesystem.glob(path, detail=True)
        root = path[: min(path.index(letter) for letter in magic if letter in path)].rpartition("/")[0]
        complaint = "the pattern matches no file; check it, or use ** to search folders in folders"
    else:
        raise UserError(f"{name}: no such file or folder; check the address")
    found = sorted(
        f"{head.partition('://')[0]}://{entry_path}::{archive}"
        if archive
        else filesystem.unstrip_protocol(entry_path)
        for entry_path, entry in entries.items()
        if entry["type"] != "directory"
        and not entry_path.endswith("/")
        and not _hidden(entry_path[len(root) :])
    )
    if not found:
        raise UserError(f"{name}: {complaint}")
    return found


def _kind(filesystem: Any, path: str, uri: str, forgive: bool) -> str:
    """ "file", "directory", or "" for what does not exist. forgive: refused is as good as absent."""
    try:
        with storage_failures(uri):
            return str(filesystem.info(path)["type"])
    except FileNotFoundError:
        return ""
    except PermissionError:
        if forgive:
            return ""
        raise


def _hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _check_protocols(manifest: str, sources: list[Source]) -> None:
    """Refuse a manifest of which files would fail for want of a package. What no package reads is a row of the plan."""
    for protocol in sorted(
        {protocol_of(source.uri) for source in sources} & set(fsspec.available_protocols())
    ):
        try:
            fsspec.get_filesystem_class(protocol)
        except ImportError as error:
            raise UserError(f"{manifest}: {protocol}://: {explain(error, protocol + '://')}") from None
