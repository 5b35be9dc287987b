"""The configuration of a run: all settings that can change a row of its tables, and no others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from lpff_ray.decode.registry import AUTO, VIDEO_DECODERS
from lpff_ray.errors import UserError
from lpff_ray.measure.registry import DETECTORS, EMBEDDINGS, ESTIMATORS, IMAGE_QUALITY, MEASURES
from lpff_ray.registry import Registry
from lpff_ray.settings import hash_of
from lpff_ray.storage.toml import read_toml

Model = TypeVar("Model", bound=BaseModel)


_REGISTRIES: dict[str, Registry[Any]] = {
    "decoder": VIDEO_DECODERS,
    "detector": DETECTORS,
    "pose_votes": ESTIMATORS,
    "embedding": EMBEDDINGS,
    "iqa": IMAGE_QUALITY,
    "measures": MEASURES,
}
_LATER: dict[str, Any] = {"measures": [], "precision": "exact"}


def choices(setting: str) -> list[str]:
    """The names that a setting of MineConfig may have, other packages' included; empty if it is no name."""
    return _REGISTRIES[setting].names() if setting in _REGISTRIES else []


class MineConfig(BaseModel):
    """Everything that decides the content of the tables. Its hash guards the output directory.

    How the work is done (executor, device, workers) is deliberately not here: it must not change a row.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    every: int | None = Field(
        default=None, ge=1, description="measure every Nth frame (without every and fps: all)"
    )
    fps: float | None = Field(default=None, gt=0, description="measure this many frames per second")
    segment_seconds: float = Field(default=30.0, ge=1, description="length of a unit of work, seconds")
    min_face_px: float = Field(
        default=64.0, ge=12, description="smallest face kept, pixels from brows to chin (column face_px)"
    )
    min_det_score: float = Field(default=0.5, gt=0, lt=1, description="lowest detection score kept")
    decoder: str = Field(default=AUTO, description="what reads videos; auto tries them in turn")
    focal_factor: float = Field(
        default=1.0, gt=0, description="focal length of the camera over the frame's longer side"
    )
    detector: str = Field(default="centerface", description="what finds the faces")
    pose_votes: tuple[str, ...] = Field(
        default=(), description="optional models that vote on the pose beside the built-in ones"
    )
    embedding: str = Field(default="dlib-resnet", description="identity embedding of the faces")
    iqa: str = Field(default="embedded", description="what measures image quality")
    measures: tuple[str, ...] = Field(
        default=(), description="further measures: gaze, and those of other packages"
    )
    precision: Literal["fast", "exact"] = Field(
        default="fast", description="numbers of networks on the CPU: fast is bfloat16, exact float32"
    )

    @model_validator(mode="after")
    def _one_sampling_rule(self) -> MineConfig:
        if self.every is not None and self.fps is not None:
            raise ValueError("give either 'every' or 'fps', not both")
        return self

    @field_validator("decoder", "detector", "embedding", "iqa")
    @classmethod
    def _known(cls, name: str, info: ValidationInfo) -> str:
        known = _REGISTRIES[str(info.field_name)].names()
        if name not in known:
            raise ValueError(f"there is no {name!r}; choose from {', '.join(known)}")
        return name

    @field_validator("pose_votes", "measures")
    @classmethod
    def _in_one_order(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """Check the names and put them in registry order, so that order does not change the hash."""
        known = _REGISTRIES[str(info.field_name)].names()
        for name in names:
            if name not in known:
                raise ValueError(
                    f"there is no {name!r}; choose from {', '.join(known) or 'none: none is installed'}"
                )
        return tuple(name for name in known if name in names)

    @property
    def model_names(self) -> set[str]:
        """Names of everything that may have a card in the model store."""
        return {self.detector, *self.pose_votes, self.embedding, self.iqa, *self.measures}

    def as_dict(self) -> dict[str, Any]:
        """All settings as plain values, as `run.json` holds them.

        Settings of a later release are left out where they say what an older release did, so that the configuration
        of an older run is still the same.
        """
        settings = self.model_dump(mode="json")
        return {
            name: value for name, value in settings.items() if name not in _LATER or value != _LATER[name]
        }

    def hash(self) -> str:
        """Hex digest of the configuration: equal if and only if every setting is equal."""
        return hash_of(self.as_dict())


def with_left_out(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as `as_dict` gives them, with those that it leaves out."""
    return {**_LATER, **settings}


def load_config(path: Path | None, overrides: dict[str, Any]) -> MineConfig:
    """Read `run.toml` (or nothing); settings of the command line replace those of the file.

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

    owner: whose settings they are, in messages; whole: a name for several that do not fit each other. Raises UserError
    naming the file and the setting when a value is unknown or out of range.
    """
    try:
        return model(**settings)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        prefix = f"{file}: " if file is not None and name.split(".")[0] not in given else ""
        reason = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            reason = f"{owner} has no such setting; it has {', '.join(sorted(model.model_fields))}"
        raise UserError(f"{prefix}setting {name or whole}: {reason}") from None
