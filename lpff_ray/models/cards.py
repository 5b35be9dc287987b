"""Cards of the embedded models: what each is, where it comes from, and the hash that its file must have."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from lpff_ray.errors import UserError
from lpff_ray.models.package_files import package_file, reinstall_command

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CARDS_FILE = Path(__file__).with_name("cards.toml")


class ModelCard(BaseModel):
    """One model. `lpff-ray models list` prints it; `run.json` records it."""

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
        """The model's file. Raises UserError, with the pip command that mends it, if it is missing."""
        return package_file(self.package, self.file)


def load_cards() -> dict[str, ModelCard]:
    """Every embedded model's card by name, in the order of cards.toml."""
    tables = tomllib.loads(CARDS_FILE.read_text(encoding="utf-8"))
    return {name: ModelCard(name=name, **table) for name, table in tables.items()}


def verify(card: ModelCard) -> None:
    """Raises UserError if the model's file is missing or is not byte for byte the one of the card."""
    path = card.path()
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"{path}: can not be read: {error.strerror}") from None
    if digest != card.sha256:
        raise UserError(
            f"{path}: not the {card.name} model (sha256 {digest[:12]}..., expected {card.sha256[:12]}...): "
            f"{reinstall_command(card.package)}"
        )
