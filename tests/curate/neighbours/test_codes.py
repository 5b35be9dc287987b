"""Codes let no near pair go, in whatever arithmetic they are multiplied."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lpff_ray.curate.neighbours import codes


@pytest.mark.parametrize("width", [3, 61, 62, 128, 512])
def test_codes_never_miss_a_pair(width: int) -> None:
    random = np.random.default_rng(width)
    rows = random.normal(size=(300, width)) * np.exp(-np.arange(width) / 10) + random.normal(size=width)
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    wanted = np.linalg.norm(rows[:, None].astype(np.float64) - rows[None], axis=2)
    for radius in np.quantile(wanted, [0.02, 0.2, 0.9]):
        found, _, limit = codes.coded(rows, float(radius), 100)
        left, least = codes.query_codes(torch.from_numpy(found), limit)
        passed = np.zeros(wanted.shape, bool)
        passed[codes.possible_pairs(left, least, codes.target_codes(torch.from_numpy(found)))] = True
        assert passed[wanted <= radius].all()
        assert passed.mean() < 1


def test_codes_are_multiplied_alike_in_eight_bits_and_in_floats(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(7)
    left, right = (torch.from_numpy(random.integers(-127, 128, (size, 64), np.int8)) for size in (100, 70))
    products = [codes._products(left, right)]
    monkeypatch.setattr(codes, "_EIGHT_BIT", not codes._EIGHT_BIT)
    products.append(codes._products(left, right))
    assert torch.equal(products[0].long(), products[1].long())
    assert torch.equal(products[0].long(), left.long() @ right.long().T)
