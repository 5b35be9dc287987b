"""Every selection method of ours can be loaded, and is what its contract says."""

from __future__ import annotations

import pytest

from lpff_ray.curate.selection.method import Rules, SelectionMethod
from lpff_ray.curate.selection.registry import METHODS


@pytest.mark.parametrize("name", ["per_bin", "density", "uniform", "verification"])
def test_ours_are_there(name: str) -> None:
    method = METHODS.load(name)
    assert isinstance(method, SelectionMethod)
    assert issubclass(method.rules, Rules)
    assert method.rules(method=name).method == name, "every setting has a default"
    assert callable(method.choose)
    assert method.advice
    undescribed = [key for key, field in method.rules.model_fields.items() if not field.description]
    assert undescribed == ["description"], "the help of the command line is made of them"
