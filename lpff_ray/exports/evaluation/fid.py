"""`lpff-ray evaluate fid A B`: how far apart two sets of pictures are, by the features of a network (FID and KID)."""

from __future__ import annotations

import io
import zipfile
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lpff_ray.errors import UserError
from lpff_ray.exports.evaluation.feature_network import CLEAN, RESIZINGS, Features, load_features, resized
from lpff_ray.exports.evaluation.frechet import frechet_distance, kernel_distance, statistics
from lpff_ray.exports.evaluation.picture_set import decoded, divisions, listed, picture_set
from lpff_ray.exports.joining.base_set import BaseSet
from lpff_ray.monitoring.progress import Phase
from lpff_ray.run.local import chosen_device
from lpff_ray.storage.failures import explain
from lpff_ray.storage.opening import opened
from lpff_ray.storage.uri import absolute

BATCH = 32
LEAST = 2  # pictures that have a covariance
STATISTICS = ".npz"
INCEPTION = "inception"


def evaluate_fid(
    a: str,
    b: str,
    network: str = INCEPTION,
    device: str = "auto",
    *,
    resize: str = CLEAN,
    by_label: bool = False,
    a_list: str = "",
    b_list: str = "",
    seed: int = 0,
) -> dict[str, Any]:
    """FID and KID between the pictures of `a` and `b`.

    a, b: an export, a folder or a zip of pictures; or a .npz with `mu` and `sigma`, as pytorch-fid saves them, which
    has no KID. network: see `feature_network.load_features`. device: "auto", "cpu", "cuda" or "cuda:N". resize: "clean"
    or "pytorch". by_label: also for each division of the pictures, EFHQ's bins of EG3D's cameras or classes of
    dataset.json, which both must have. a_list, b_list: a list in the root (FFHQ_LPFF_rebalanced, say) whose pictures
    are taken, as often as it names them. seed: of KID's subsets.

    Returns `all` and, by_label, `divisions`, each with `fid`, `kid`, `kid_std` and the counts `a` and `b`; `notes`.
    Raises UserError for a source, list or network that can not be used, or fewer than two pictures.
    """
    if resize not in RESIZINGS:
        raise UserError(f"--resize {resize}: there are {', '.join(RESIZINGS)}")
    features = load_features(network, chosen_device(device))
    sides = [_Side(uri, mode) for uri, mode in ((a, a_list), (b, b_list))]
    known = set.intersection(*(set(side.labels()) for side in sides)) if by_label else set()
    for side in sides:  # only now: what is wrong with either is said before hours of work
        side.measure(features, resize)
    widths = {len(side.statistics()[0]) for side in sides}
    if len(widths) > 1:
        raise UserError(
            f"{a}, {b}: features of {' and '.join(map(str, sorted(widths)))} numbers: of two networks"
        )
    found: dict[str, Any] = {"a": a, "b": b, "network": network, "resize": resize, "notes": []}
    found["all"] = _compared(sides[0], sides[1], None, seed)
    fewest = min((side.count() for side in sides if side.features is not None), default=0)
    if 0 < fewest <= max(widths):
        found["notes"].append(
            f"{fewest} pictures for {max(widths)} features: so few make FID too high, and comparable only with FID of "
            "as many; KID has no such bias"
        )
    if by_label:
        found["divisions"] = {name: _compared(sides[0], sides[1], name, seed) for name in sorted(known)}
    return found


class _Side:
    """One of the two sets. features: [n, d] of its pictures as listed; None of a file of statistics."""

    def __init__(self, uri: str, mode: str) -> None:
        """Raises UserError if there is no such set or list."""
        self.uri = uri
        self._saved: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        self.features: NDArray[np.float64] | None = None
        if uri.endswith(STATISTICS):
            if mode:
                raise UserError(f"{uri}: holds statistics alone; a list takes pictures")
            self._saved = _saved_statistics(uri)
            return
        self._pictures = picture_set(uri)
        self._names = listed(self._pictures, mode)
        if len(self._names) < LEAST:
            raise UserError(f"{uri}: {len(self._names)} pictures; a distance takes {LEAST} and more")

    def measure(self, network: Features, resize: str) -> None:
        """Find the features of the pictures, each picture's once."""
        if self._saved is not None:
            return
        once = list(dict.fromkeys(self._names))
        place = {name: row for row, name in enumerate(once)}
        table = _features_of(self._pictures, once, network, resize)
        self.features = table[[place[name] for name in self._names]]

    def labels(self) -> dict[str, list[int]]:
        """Rows of `features` by division."""
        if self._saved is not None:
            raise UserError(f"{self.uri}: holds statistics alone, and no labels")
        of_name, rows = divisions(self._pictures), dict[str, list[int]]()
        for row, name in enumerate(self._names):
            rows.setdefault(of_name[name], []).append(row)
        return rows

    def part(self, division: str | None) -> NDArray[np.float64] | None:
        """Features of a division, or of all."""
        return (
            self.features
            if self.features is None or division is None
            else self.features[self.labels()[division]]
        )

    def statistics(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if self._saved is not None:
            return self._saved
        assert self.features is not None, "measured before"
        return statistics(self.features)

    def count(self) -> int:
        return 0 if self.features is None else len(self.features)


def _compared(one: _Side, other: _Side, division: str | None, seed: int) -> dict[str, Any]:
    a, b = one.part(division), other.part(division)
    found: dict[str, Any] = {name: None if part is None else len(part) for name, part in (("a", a), ("b", b))}
    if any(part is not None and len(part) < LEAST for part in (a, b)):
        return found | {"fid": None, "kid": None, "kid_std": None}
    of_a, of_b = (
        side.statistics() if part is None else statistics(part) for side, part in ((one, a), (other, b))
    )
    try:
        found["fid"] = frechet_distance(*of_a, *of_b)
    except ValueError as error:
        raise UserError(f"{one.uri}, {other.uri}: {error}; more pictures are needed") from None
    kid = (None, None) if a is None or b is None else kernel_distance(a, b, seed)
    return found | {"kid": kid[0], "kid_std": kid[1]}


def _features_of(pictures: BaseSet, names: list[str], network: Features, resize: str) -> NDArray[np.float64]:
    parts = []
    stream = (resized(picture, resize) for picture in decoded(pictures, names))
    with Phase("features", len(names), "pictures") as phase:
        while batch := list(islice(stream, BATCH)):
            parts.append(network(np.stack(batch)))
            phase.advance(len(batch))
    return np.concatenate(parts)


def _saved_statistics(uri: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    try:
        with (
            opened(absolute(uri)) as (file, _),
            np.load(io.BytesIO(file.read()), allow_pickle=False) as arrays,
        ):
            mean, covariance = (np.asarray(arrays[name], np.float64) for name in ("mu", "sigma"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        why = explain(error, uri) if isinstance(error, OSError) else str(error)
        raise UserError(f"{uri}: {why}; needed are mu and sigma, as pytorch-fid saves them") from None
    if mean.ndim != 1 or covariance.shape != (len(mean),) * 2:
        raise UserError(f"{uri}: mu {mean.shape} and sigma {covariance.shape} do not go together")
    return mean, covariance
