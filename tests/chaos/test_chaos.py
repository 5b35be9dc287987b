"""Each fault once, with a seed of its own: rows, blame and leftovers are as if nothing had happened."""

from __future__ import annotations

import random

import chaos
import pytest
from world import Outcome, World, table


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World.made(tmp_path_factory.mktemp("chaos") / "world")


@pytest.mark.parametrize("fault", list(chaos.SHORT))
def test_a_fault_does_no_harm(world: World, fault: str) -> None:
    outcome = chaos.SHORT[fault](world, random.Random(fault))
    assert outcome.harm == 0, outcome
    assert outcome.extra == 0, outcome


@pytest.mark.ray
def test_a_worker_that_is_killed_does_no_harm(world: World) -> None:
    outcome = chaos.LONG["a worker killed"](world, random.Random(1))
    assert outcome.harm == 0, outcome


def test_the_table_adds_up() -> None:
    text = table([Outcome("cut", lost=1, recover_s=2), Outcome("cut", lost=2, recover_s=1, note="exit 3")])
    assert text.splitlines()[1].split() == ["cut", "2", "3", "0", "0", "0", "0", "2.0", "s"]
    assert text.splitlines()[-1] == "cut: exit 3"
