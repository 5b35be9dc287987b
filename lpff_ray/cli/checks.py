"""Checks of the machine: everything that a run needs, and how to mend what is missing."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import uuid
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

import psutil

from lpff_ray.errors import UserError
from lpff_ray.models import store
from lpff_ray.models.cards import PluginCard, load_cards, load_plugins, verify
from lpff_ray.storage.folder import Folder

MEMORY_GB = 4.0  # one worker with its models and a batch of 1080p frames takes about 1 GB
DISK_GB = 2.0


@dataclass(frozen=True)
class Finding:
    """level: "ok" | "warn" (runs, but slower or without something) | "fail" (does not run)."""

    level: str
    subject: str
    text: str


def examine(out: str | None = None) -> list[Finding]:
    """Look at the machine, and at `out` if given. Never raises for what it finds."""
    findings = [
        _python(),
        *_packages(),
        *_models(),
        _decord(),
        _gpu(),
        _ray(),
        _memory(),
        _disk(tempfile.gettempdir()),
    ]
    if out is not None:
        findings.append(_writable(out))
    return findings


def _python() -> Finding:
    good = (3, 10) <= sys.version_info[:2] <= (3, 12)
    text = platform.python_version() + (
        "" if good else ": mediapipe's models need 3.10 to 3.12; make a venv with one"
    )
    return Finding("ok" if good else "fail", "python", text)


def _packages() -> list[Finding]:
    findings = []
    for package, least in (
        ("torch", "2.4"),
        ("polars", "1.30"),
        ("numpy", "1.26"),
        ("av", "16"),
        ("ray", "2.40"),
    ):
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            findings.append(Finding("fail", package, "not installed: pip install lpff-ray"))
            continue
        old = _numbers(version) < _numbers(least)
        mend = f": older than {least}; pip install -U {package}" if old else ""
        findings.append(Finding("fail" if old else "ok", package, version + mend))
    if find_spec("pyarrow") is not None and _numbers(metadata.version("pyarrow")) >= (26,):
        text = f"{metadata.version('pyarrow')} refuses NumPy 1 and Ray imports it: pip uninstall pyarrow"
        findings.append(Finding("fail", "pyarrow", text))
    return findings


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("+")[0].split(".")[:3] if part.isdigit())


def _models() -> list[Finding]:
    findings = []
    for card in load_cards().values():
        try:
            verify(card)
        except UserError as error:
            findings.append(Finding("fail", f"model {card.name}", str(error)))
        else:
            findings.append(Finding("ok", f"model {card.name}", f"{card.task}, sha256 as on its card"))
    for plugin in load_plugins().values():
        if store.is_stored(plugin):
            findings.append(_plugin(plugin))
    return findings


def _plugin(card: PluginCard) -> Finding:
    try:
        store.verify_plugin(card)
    except UserError as error:
        return Finding("warn", f"plug-in {card.name}", str(error))
    known = all(file.sha256 for file in card.files)
    return Finding(
        "ok", f"plug-in {card.name}", f"{card.task}, " + ("sha256 as on its card" if known else "present")
    )


def _decord() -> Finding:
    try:
        import decord  # noqa: F401
    except (ImportError, OSError) as error:
        return Finding("warn", "decord", f"can not be loaded ({error}); PyAV decodes instead")
    return Finding("ok", "decord", metadata.version("decord"))


def _gpu() -> Finding:
    import torch

    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
        return Finding("ok", "gpu", names)
    if shutil.which("nvidia-smi"):
        return Finding(
            "warn", "gpu", "nvidia-smi is here but torch sees no CUDA: install a CUDA build of torch"
        )
    return Finding("ok", "gpu", "none; the CPU does the work")


def _ray() -> Finding:
    address = os.environ.get("RAY_ADDRESS")
    if not address:
        return Finding("ok", "ray", "no RAY_ADDRESS: --executor ray starts a node of its own")
    return Finding("ok", "ray", f"RAY_ADDRESS={address}")


def _memory() -> Finding:
    free = psutil.virtual_memory().available / 2**30
    if free < MEMORY_GB:
        return Finding("warn", "memory", f"{free:.1f} GB free, {MEMORY_GB:.0f} wanted; use fewer --workers")
    return Finding("ok", "memory", f"{free:.1f} GB free")


def _disk(place: str) -> Finding:
    free = shutil.disk_usage(place).free / 2**30
    if free < DISK_GB:
        text = f"{free:.1f} GB free in {place}, where remote videos are kept while mined; set LPFF_RAY_CACHE"
        return Finding("warn", "disk", text)
    return Finding("ok", "disk", f"{free:.0f} GB free in {place}")


def _writable(out: str) -> Finding:
    name = f".doctor-{uuid.uuid4().hex}"
    try:
        folder = Folder(out)
        folder.commit(name, b"lpff_ray")
        folder.remove(name)
    except (UserError, OSError) as error:
        return Finding("fail", "output", str(error))
    return Finding("ok", "output", f"{out} can be written")
