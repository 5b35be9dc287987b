"""Work in threads gives answers in order and leaves torch's thread count as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from lpff_ray.curate.neighbours.threads import in_threads


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_answers_come_in_order_from_threads_with_one_of_torchs() -> None:
    answers = in_threads(lambda item: (item, torch.get_num_threads()), range(20), "cpu")
    assert answers == [(item, 1) for item in range(20)]
    assert torch.get_num_threads() == 3


def test_a_failure_leaves_the_thread_count_as_it_was() -> None:
    def fails(item: int) -> int:
        raise ValueError(item)

    with pytest.raises(ValueError, match="0"):
        in_threads(fails, range(3), "cpu")
    assert torch.get_num_threads() == 3


def test_a_caller_who_stops_early_leaves_the_thread_count_as_it_was() -> None:
    # Once a generator: one that was kept, and not read to its end, left torch with one thread for good.
    kept = iter(in_threads(lambda item: item, range(3), "cpu"))
    assert next(kept) == 0
    assert torch.get_num_threads() == 3
    assert list(kept) == [1, 2]


def test_other_devices_are_worked_on_one_by_one() -> None:
    assert in_threads(lambda item: torch.get_num_threads(), range(2), "meta") == [3, 3]
