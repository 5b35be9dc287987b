"""Which rules a selection follows: a preset, a `[select]` table of the user's over it, command-line flags over both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lpff_ray.config import validated
from lpff_ray.curate.config import read_table
from lpff_ray.curate.selection.method import Rules
from lpff_ray.curate.selection.registry import METHODS
from lpff_ray.errors import UserError
from lpff_ray.storage.toml import read_toml

PRESETS = Path(__file__).with_name("presets")
_IQA_GATES = ("min_iqa", "min_iqa_quantile", "min_hyperiqa")


def presets() -> list[str]:
    """Names of the presets."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load_rules(
    preset: str, overrides: Mapping[str, Any] | None = None, config: str | Path | None = None
) -> Rules:
    """The preset's rules with the `[select]` table of the file `config` over them and `overrides` over both.

    overrides: by setting; None leaves a setting alone. A new `min_iqa` or `min_iqa_quantile` takes the place of all
    the preset says about iqa. A `method` other than the preset's takes the place of the whole preset, whose settings
    mean nothing to it. Raises UserError naming the preset, file or setting at fault.
    """
    settings = _preset_settings(preset)
    layers = [read_table(Path(config), "select")] if config is not None else []
    layers.append({name: value for name, value in (overrides or {}).items() if value is not None})
    owner = f"preset {preset}"
    for layer in layers:
        method = layer.get("method", settings["method"])
        if method != settings["method"]:
            settings, owner = {}, f"method {method}"
        if layer.keys() & {"min_iqa", "min_iqa_quantile"}:
            for gate in _IQA_GATES:
                settings.pop(gate, None)
        settings.update(layer)
    method = METHODS.load(settings["method"])
    return validated(method.rules, settings, config, layers[-1], owner, whole=method.together)


def preset_beneath(preset: str, rules: Rules) -> str | None:
    """The preset that rules of `load_rules` rest on, None where they name another method."""
    return preset if _preset_settings(preset)["method"] == rules.method else None


def _preset_settings(preset: str) -> dict[str, Any]:
    """The content of a preset's file. Raises UserError if there is none of that name."""
    if preset not in presets():
        raise UserError(
            f"preset {preset!r}: there are {', '.join(presets())}; your own rules go into --config FILE"
        )
    return read_toml(PRESETS / f"{preset}.toml")
