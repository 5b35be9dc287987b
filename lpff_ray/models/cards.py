"""Model cards: what each model is, where its files come from, and the hash that they must have.

The built-in models come with pip packages; optional ones are fetched into the model store (see `store.py`).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from lpff_ray.errors import UserError
from lpff_ray.models.package_files import package_file, reinstall_command
from lpff_ray.registry import Registry
from lpff_ray.storage.toml import read_toml

CARDS_FILE = Path(__file__).with_name("cards.toml")
CARDS: Registry[PluginCard] = Registry("model card", "lpff_ray.model_cards", {})
"""Cards of other packages' models: an entry point that names a PluginCard."""
_PLUGIN = "plugin"  # the table of cards.toml that holds the plug-ins'


class ModelCard(BaseModel):
    """One built-in model. `lpff-ray models list` prints it; `run.json` records it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    task: str = Field(description="detection | verification | landmarks | pose | embedding")
    licence: str
    package: str = Field(description="top-level Python package that carries the file")
    file: str = Field(description="path inside the package, with forward slashes")
    size_bytes: int
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    input: str
    output: str
    citation: str

    def path(self) -> Path:
        """The model's file. Raises UserError, with the pip command that restores it, if it is missing."""
        return package_file(self.package, self.file)


class PluginFile(BaseModel):
    """One file of a plug-in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    urls: tuple[str, ...] = Field(
        description="where it can be downloaded, anything that fsspec opens; best first"
    )
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    size_bytes: int | None = None


class PluginCard(BaseModel):
    """One optional model (plug-in), used where a run's configuration names it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    task: str = Field(description="detection | pose | embedding | iqa | features")
    licence: str
    input: str
    output: str
    batch: str = Field(description="batch sizes that the file was made for, and what is done about it")
    citation: str
    width: int | None = Field(default=None, description="numbers in an embedding")
    files: tuple[PluginFile, ...]


def load_cards() -> dict[str, ModelCard]:
    """Every built-in model's card by name, in the order of cards.toml."""
    tables = _tables()
    return {name: ModelCard(name=name, **table) for name, table in tables.items() if name != _PLUGIN}


def load_plugins() -> dict[str, PluginCard]:
    """Every optional model's card by name: ours in the order of cards.toml, then other packages' (see CARDS)."""
    ours = {name: PluginCard(name=name, **table) for name, table in _tables()[_PLUGIN].items()}
    return ours | {name: CARDS.load(name) for name in CARDS if name not in ours}


def verify(card: ModelCard) -> None:
    """Raises UserError if the model's file is missing or is not byte for byte the one of the card."""
    path = card.path()
    digest = sha256_of(path)
    if digest != card.sha256:
        raise UserError(
            f"{path}: not the {card.name} model (sha256 {digest[:12]}..., expected {card.sha256[:12]}...): "
            f"{reinstall_command(card.package)}"
        )


def sha256_of(path: Path) -> str:
    """Hex digest of a file. Raises UserError if it can not be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise UserError(f"{path}: can not be read: {error.strerror}") from None
    return digest.hexdigest()


def _tables() -> dict[str, Any]:
    return read_toml(CARDS_FILE)
