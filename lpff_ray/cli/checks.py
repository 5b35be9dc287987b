"""Checks of the machine: everything that a run needs, and how to remedy what is missing."""

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

OK, WARN, FAIL = "ok", "warn", "fail"
MEMORY_GB = 4.0  # one worker with its models and a batch of 1080p frames takes about 1 GB
DISK_GB = 2.0
LEAST = {"torch": "2.4", "polars": "1.30", "numpy": "1.26", "av": "16", "ray": "2.40"}
"""Packages that every run needs, and their oldest versions that serve."""
LINUX_ONLY = (
    "fitting the number of threads to the cores that a job may use (give --workers)",
    "removing copies of remote videos after a kill (clean LPFF_RAY_CACHE yourself)",
    "Ray clusters of several machines",
    "CUDA",
)
"""What does not work on another system than Linux, and what to do instead."""


@dataclass(frozen=True)
class Finding:
    """One thing that was checked.

    level: "ok" | "warn" (runs, but slower or without something) | "fail" (does not run). text: what was found;
    remedy: what to do about it, "" if nothing has to be done.
    """

    level: str
    subject: str
    text: str
    remedy: str = ""

    def line(self) -> str:
        """The finding in one line."""
        return f"{self.subject}: {self.text}" + (f"; {self.remedy}" if self.remedy else "")


def examine(out: str | None = None) -> list[Finding]:
    """Look at the machine, and at `out` if given. Never raises for what it finds."""
    findings = [
        _product(),
        _python(),
        _platform(),
        *_packages(),
        *_models(),
        _decord(),
        _gpu(),
        _ray(),
        _memory(),
        _disk(os.environ.get("LPFF_RAY_CACHE") or tempfile.gettempdir()),
    ]
    if out is not None:
        findings.append(_writable(out))
    return findings


def _product() -> Finding:
    try:
        return Finding(OK, "lpff-ray", metadata.version("lpff-ray"))
    except metadata.PackageNotFoundError:
        return Finding(
            WARN, "lpff-ray", "runs from a folder of its source", "to install it: pip install -e ."
        )


def _python() -> Finding:
    if (3, 10) <= sys.version_info[:2] <= (3, 12):
        return Finding(OK, "python", platform.python_version())
    remedy = "mediapipe's models need 3.10 to 3.12: make a venv with one of these"
    return Finding(FAIL, "python", platform.python_version(), remedy)


def _platform() -> Finding:
    name = f"{platform.system()} {platform.machine()}"
    if sys.platform == "linux":
        return Finding(OK, "platform", f"{name}, where every part works")
    return Finding(WARN, "platform", f"{name}; only on Linux work: {'; '.join(LINUX_ONLY)}")


def _packages() -> list[Finding]:
    findings = []
    for package, least in LEAST.items():
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            findings.append(Finding(FAIL, package, "not installed", "pip install lpff-ray"))
            continue
        if _numbers(version) < _numbers(least):
            text = f"{version} is older than {least}"
            findings.append(Finding(FAIL, package, text, f"pip install -U {package}"))
        else:
            findings.append(Finding(OK, package, version))
    if find_spec("pyarrow") is not None and _numbers(metadata.version("pyarrow")) >= (26,):
        text = f"{metadata.version('pyarrow')} refuses NumPy 1, and Ray imports it"
        findings.append(Finding(FAIL, "pyarrow", text, "pip uninstall pyarrow"))
    return findings


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("+")[0].split(".")[:3] if part.isdigit())


def _models() -> list[Finding]:
    findings = []
    for card in load_cards().values():
        try:
            verify(card)
        except UserError as error:
            findings.append(Finding(FAIL, f"model {card.name}", str(error)))
        else:
            findings.append(Finding(OK, f"model {card.name}", f"{card.task}, sha256 as on its card"))
    return findings + [_optional(card) for card in load_plugins().values() if store.is_stored(card)]


def _optional(card: PluginCard) -> Finding:
    subject = f"optional model {card.name}"
    try:
        store.verify_plugin(card)
    except UserError as error:
        return Finding(WARN, subject, str(error))
    known = all(file.sha256 for file in card.files)
    return Finding(OK, subject, f"{card.task}, " + ("sha256 as on its card" if known else "present"))


def _decord() -> Finding:
    try:
        import decord  # noqa: F401
    except (ImportError, OSError) as error:
        return Finding(WARN, "decord", f"can not be loaded ({error}); PyAV decodes instead")
    return Finding(OK, "decord", metadata.version("decord"))


def _gpu() -> Finding:
    import torch

    if torch.cuda.is_available():
        devices = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
        names = ", ".join(f"{device.name} ({device.total_memory / 2**30:.0f} GB)" for device in devices)
        return Finding(OK, "gpu", names)
    if shutil.which("nvidia-smi"):
        text = "nvidia-smi is here but torch sees no CUDA"
        return Finding(WARN, "gpu", text, "install a CUDA build of torch: https://pytorch.org/get-started")
    return Finding(OK, "gpu", "none; the CPU does the work")


def _ray() -> Finding:
    address = os.environ.get("RAY_ADDRESS")
    if not address:
        return Finding(OK, "ray cluster", "no RAY_ADDRESS: --executor ray starts a node of its own")
    return Finding(OK, "ray cluster", f"RAY_ADDRESS={address}")


def _memory() -> Finding:
    free = psutil.virtual_memory().available / 2**30
    if free < MEMORY_GB:
        return Finding(WARN, "memory", f"{free:.1f} GB free, {MEMORY_GB:.0f} wanted", "use fewer --workers")
    return Finding(OK, "memory", f"{free:.1f} GB free")


def _disk(folder: str) -> Finding:
    while not os.path.exists(folder):  # LPFF_RAY_CACHE is made when it is first used
        folder = os.path.dirname(folder) or "."
    free = shutil.disk_usage(folder).free / 2**30
    if free < DISK_GB:
        text = f"{free:.1f} GB free in {folder}, where remote videos are kept while mined"
        return Finding(WARN, "disk", text, "set LPFF_RAY_CACHE to a folder with more")
    return Finding(OK, "disk", f"{free:.0f} GB free in {folder}")


def _writable(out: str) -> Finding:
    name = f".doctor-{uuid.uuid4().hex}"
    try:
        folder = Folder(out)
        folder.commit(name, b"lpff_ray")
        folder.remove(name)
    except (UserError, OSError) as error:
        return Finding(FAIL, "output", str(error))
    return Finding(OK, "output", f"{out} can be written")
