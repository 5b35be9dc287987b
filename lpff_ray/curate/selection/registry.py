"""The selection methods by name: a new one of ours is one line here, another package's an entry point."""

from __future__ import annotations

from typing import Any

from lpff_ray.curate.selection.method import SelectionMethod
from lpff_ray.registry import Registry

METHODS: Registry[SelectionMethod[Any]] = Registry(
    "selection method",
    "lpff_ray.selection_methods",
    {
        "per_bin": "lpff_ray.curate.selection.methods.per_bin:METHOD",
        "density": "lpff_ray.curate.selection.methods.density:METHOD",
        "uniform": "lpff_ray.curate.selection.methods.uniform:METHOD",
        "verification": "lpff_ray.curate.selection.methods.verification:METHOD",
    },
)
