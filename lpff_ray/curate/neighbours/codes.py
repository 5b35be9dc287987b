"""Short codes that stand for vectors in a first, cheap comparison. Some pairs that are too far apart pass it; no near
pair ever fails it.

Leading axes. Vectors z are made of the components p of x along the principal axes of all x, and the length of what is
left, |x - p|. As lengths differ by no more than vectors do, |z_x - z_y| <= |x - y|.

Eight bits. A code is q = round(z / s). With e the largest |z - s q|, vectors within the radius have

    |q_x - q_y| <= (radius + 2 e) / s.

Products of such small integers are the fastest that CPUs know, and exact in whatever order they are added up.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray

from lpff_ray.curate.neighbours.threads import in_threads

SLACK = 1e-5  # above the rounding of float32 inner products of unit vectors, which is below 1e-6
_AXES = 61  # with the length of the rest and a norm of two digits, codes are 64 wide
_LEVELS = 127  # a code's numbers are -127 .. 127
_EIGHT_BIT = bool(getattr(torch.cpu, "_is_vnni_supported", bool)())  # elsewhere torch multiplies int8 slowly


def coded(
    rows: NDArray[np.float32], radius: float, at_once: int
) -> tuple[NDArray[np.int8], torch.Tensor, float]:
    """Codes int8 [n, w] of float32 [n, d], w <= 62; the float32 [n, w] that they round; the limit of |q_x - q_y|^2 for
    vectors within the radius. at_once: rows that a thread takes.
    """
    parts = torch.from_numpy(rows).split(at_once)
    mean = sum(part.sum(0) for part in parts) / len(rows)
    spread = sum(in_threads(lambda part: ((part - mean).T @ (part - mean)).double(), parts, "cpu"))
    (found,) = in_threads(torch.linalg.eigh, [spread], "cpu")
    axes = found.eigenvectors.flip(1)[:, :_AXES].float()
    leading = in_threads(lambda part: _along(part - mean, axes), parts, "cpu")
    step = max(*(float(part.abs().max()) for part in leading), radius) / _LEVELS
    codes = [(part / step).round().to(torch.int8) for part in leading]
    error = max(float(lengths(part - code * step).max()) for part, code in zip(leading, codes, strict=True))
    return torch.cat(codes).numpy(), torch.cat(leading), ((radius + 2 * error + SLACK) / step) ** 2


def _along(vectors: torch.Tensor, axes: torch.Tensor) -> torch.Tensor:
    """Components of [n, d] along axes [d, w], and the length of what is left: [n, w + 1]."""
    along = vectors @ axes
    return torch.cat([along, lengths(vectors - along @ axes.T)[:, None]], dim=1)


def query_codes(codes: torch.Tensor, limit: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes to multiply with `target_codes`, and the least product, int64 [n], of those within the limit.

    |x - y|^2 <= limit if x.y - |y|^2 / 2 >= (|x|^2 - limit) / 2: y brings half of its square along, as two digits.
    """
    digits = torch.tensor([_LEVELS, 1], dtype=torch.int8, device=codes.device).expand(len(codes), 2)
    return torch.cat([codes, digits], dim=1), ((_squares(codes) - limit) / 2).floor().long()


def target_codes(codes: torch.Tensor) -> torch.Tensor:
    """See `query_codes`. A half square beyond two digits is taken for a smaller one, which lets more pairs pass."""
    half = (_squares(codes) // 2).clamp(max=_LEVELS * _LEVELS)
    digits = torch.stack([half // _LEVELS, half % _LEVELS], dim=1)
    return torch.cat([codes, -digits.to(torch.int8)], dim=1)


def _squares(codes: torch.Tensor) -> torch.Tensor:
    return codes.long().square().sum(1)


def possible_pairs(
    left: torch.Tensor, least: torch.Tensor, right: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of `left` and rows of `right`, int64 [m] each: pairs whose product reaches `least` of the left one."""
    products = _products(left, right)
    # Few rows have any: comparing each row's largest product first is faster than comparing every product.
    rows = torch.nonzero(products.amax(1) >= least)[:, 0]
    a, b = torch.nonzero(products[rows] >= least[rows, None], as_tuple=True)
    return rows[a], b


def _products(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Inner products of int8 [m, w] and [n, w]: integers below 2^24, exact in whatever they are worked out."""
    if left.device.type != "cpu" or not _EIGHT_BIT:
        return left.float() @ right.float().T
    # oneDNN makes a program for every size: there are to be few.
    tall, wide = (
        functional.pad(codes, (0, 0, 0, padded(len(codes)) - len(codes))) for codes in (left, right)
    )
    return torch._int_mm(tall, wide.T)[: len(left), : len(right)]


def padded(count: int) -> int:
    """The next multiple of 64."""
    return -(-count // 64) * 64


def lengths(vectors: torch.Tensor) -> torch.Tensor:
    """Of float32 [n, d]: float32 [n]."""
    return torch.linalg.vector_norm(vectors, dim=1)
