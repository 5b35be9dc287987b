"""The configuration of a run: what may change a row of its tables, and nothing else."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lpff_ray.errors import UserError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


PoseVote = Literal["fsanet", "3ddfa_v2", "6drepnet"]
Embedding = Literal["dlib-resnet", "arcface-r50", "arcface-r100", "arcface-w600k"]
Model = TypeVar("Model", bound=BaseModel)


class MineConfig(BaseModel):
    """Everything that decides the content of the tables. Its hash guards the output directory.

    How the work is done (executor, device, workers) is deliberately not here: it must not change a row.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    every: int | None = Field(default=None, ge=1, description="look at every Nth frame")
    fps: float | None = Field(default=None, gt=0, description="look at this many frames per second")
    segment_seconds: float = Field(default=30.0, ge=1, description="length of a unit of work, in seconds")
    min_face_px: float = Field(default=64.0, ge=12, description="shorter side of the smallest face kept")
    min_det_score: float = Field(default=0.5, gt=0, lt=1, description="lowest detection score kept")
    decoder: str = Field(default="auto", pattern=r"^[\w.-]+$")
    focal_factor: float = Field(default=1.0, gt=0, description="focal length over the frame's longer side")
    detector: Literal["blazeface", "yunet"] = Field(default="blazeface", description="what finds the faces")
    pose_votes: tuple[PoseVote, ...] = Field(default=(), description="plug-ins that vote on the pose")
    embedding: Embedding = Field(default="dlib-resnet", description="what tells identities apart")
    iqa: Literal["embedded", "hyperiqa"] = Field(default="embedded", description="what judges image quality")

    @model_validator(mode="after")
    def _one_sampling_rule(self) -> MineConfig:
        if self.every is not None and self.fps is not None:
            raise ValueError("give either 'every' or 'fps', not both")
        return self

    @field_validator("pose_votes")
    @classmethod
    def _in_one_order(cls, votes: tuple[PoseVote, ...]) -> tuple[PoseVote, ...]:
        """The same estimators in another order are the same configuration."""
        return tuple(name for name in get_args(PoseVote) if name in votes)

    def hash(self) -> str:
        """Hex digest of the configuration: equal if and only if every setting is equal."""
        text = json.dumps(self.model_dump(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file. Raises UserError if it is no such, or there is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such configuration file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path}: not a readable TOML file: {error}") from None


def load_config(path: Path | None, overrides: dict[str, Any]) -> MineConfig:
    """Read `run.toml` (or nothing) and lay the command line's settings over it.

    Raises UserError naming the file and the setting when a value is unknown or out of range.
    """
    settings = {} if path is None else read_toml(path)
    given = {name: value for name, value in overrides.items() if value is not None}
    if "every" in given:
        settings.pop("fps", None)
    if "fps" in given:
        settings.pop("every", None)
    settings.update(given)
    return validated(MineConfig, settings, path, given, "a run", whole="every/fps")


def validated(
    model: type[Model],
    settings: Mapping[str, Any],
    file: object,
    given: Collection[str],
    owner: str,
    whole: str = "",
) -> Model:
    """The model of `settings`: some are `given` by flags, the others come from `file` (None: from none).

    owner: whose settings they are; whole: what to call several of them that do not fit each other. Raises UserError
    naming the file and the setting when a value is unknown or out of range.
    """
    try:
        return model(**settings)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        where = f"{file}: " if file is not None and name.split(".")[0] not in given else ""
        reason = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            reason = f"{owner} has no such setting; it has {', '.join(sorted(model.model_fields))}"
        raise UserError(f"{where}setting {name or whole}: {reason}") from None
