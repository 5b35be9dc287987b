"""The lists of file names that LPFF's trainers open, one for each of their modes, in the root of the data set.

`<MODE>.json` is a flat list of names, a name as often as the picture is to be seen. A mode without its list is an error
there. Source: oneThousand1000/LPFF-dataset, `2_dataset_rebalance/2_eg3d_*.py`, `3_stylegan_*.py`, and
LPFF-eg3d, `training/dataset.py` (`camera_sample_mode`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lpff_ray.curate.selection.cameras import cameras_of_labels
from lpff_ray.curate.selection.kernel_density import copies_by_density, kernel_density
from lpff_ray.errors import UserError
from lpff_ray.exports.format import OutputFile
from lpff_ray.exports.joining.base_set import BaseSet, picture_number

OLD, NEW, BOTH = "FFHQ", "LPFF", "FFHQ_LPFF"
OLD_REBALANCED, NEW_REBALANCED, BOTH_REBALANCED = (f"{mode}_rebalanced" for mode in (OLD, NEW, BOTH))
LPFFS_STEPS = (0.24, 4, (0.03, 0.02))  # of `copies_by_density`
REPLICAS = ("FFHQ_rebalanced.json", "num_replicas.json", "FFHQ_num_replicas.json")


def eg3d_lists(
    base: BaseSet | None,
    old_labels: NDArray,
    names: Sequence[str],
    labels: NDArray,
    copies: Mapping[str, int],
) -> Iterator[OutputFile]:
    """The lists of an EG3D set. Without a base those of the new pictures alone.

    old_labels: EG3D's [n, 25] of the base's pictures. names, labels [m, 25]: of the new ones and their mirror images.
    copies: by name, as the selection says. In FFHQ_LPFF_rebalanced both old and new ones are repeated by their density
    in the joint set; in LPFF_rebalanced (no mode of LPFF's) the new ones as the selection says; in FFHQ_rebalanced the
    old ones as the base's own table of repeats says, or else by their density among themselves.
    """
    yield _list(NEW, names)
    yield _list(NEW_REBALANCED, names, [copies[name] for name in names])
    if base is None:
        return
    yield _list(OLD, base.names)
    yield _list(BOTH, [*base.names, *names])
    both = cameras_of_labels(np.concatenate([old_labels, labels]))
    often = copies_by_density(kernel_density(both).at(both), *LPFFS_STEPS)
    yield _list(BOTH_REBALANCED, [*base.names, *names], often.tolist())
    repeats = _own_repeats(base)
    if repeats is None:
        old = cameras_of_labels(old_labels)
        repeats = copies_by_density(kernel_density(old).at(old), *LPFFS_STEPS).tolist()
    yield _list(OLD_REBALANCED, base.names, repeats)


def stylegan_lists(
    base: BaseSet | None, names: Sequence[str], copies: Mapping[str, int]
) -> Iterator[OutputFile]:
    """The lists of a StyleGAN set: the base's pictures once, the new ones as often as the selection says."""
    repeats = [copies[name] for name in names]
    yield _list(NEW, names)
    yield _list(NEW_REBALANCED, names, repeats)
    if base is None:
        return
    yield _list(OLD, base.names)
    yield _list(BOTH, [*base.names, *names])
    yield _list(BOTH_REBALANCED, [*base.names, *names], [1] * len(base.names) + repeats)
    own = _own_repeats(base)
    yield _list(OLD_REBALANCED, base.names, own)


def _list(mode: str, names: Iterable[str], repeats: Sequence[int] | None = None) -> OutputFile:
    listed = list(names)
    if repeats is not None:
        listed = [name for name, count in zip(listed, repeats, strict=True) for _ in range(count)]
    return OutputFile(f"{mode}.json", json.dumps(listed, indent=0).encode())


def _own_repeats(base: BaseSet) -> list[int] | None:
    """How often the base itself says that each of its pictures is to be seen, None if it does not say.

    A list of names, or EG3D's table {number: repeats}, under a name of REPLICAS in its root.
    """
    for file in REPLICAS:
        content = base.read(file)
        if content is None:
            continue
        try:
            found = json.loads(content)
        except ValueError as error:
            raise UserError(f"{base.uri}/{file}: is no JSON: {error}") from None
        if isinstance(found, dict):
            return [int(found.get(str(picture_number(name)), 1)) for name in base.names]
        counts = dict.fromkeys(base.names, 0)
        for name in found:
            if name in counts:
                counts[name] += 1
        return list(counts.values())
    return None
