"""Trains the network of `iqa` and `sharpness`: makes lpff_ray/measure/quality/image_quality.npz.

    python -m training.train_iqa --data ../shared/data

No person has rated these faces. Instead every face is degraded by known amounts of known faults, and the amounts
determine the wanted quality (`targets`). How good a face was before is not known; it is learned along with the network,
as an unknown blur and unknown other faults of each clip or photo, both with a penalty on their size.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lpff_ray.measure.quality import image_quality as iqa
from training.quality_data import Face, collect, degraded, resized

CHAINS = {"video": 32, "aflw2000": 32, "lfw": 32, "aflw": 4}  # of each face
CHAIN = 4  # copies in a chain
# Ranges of the amounts, as `quality_data.LEVELS` counts them; exposure in stops of light
FAULTS = {
    "gaussian": (0.3, 7.0),
    "motion": (1.5, 26.0),
    "scaling": (1.0, 10.0),
    "noise": (2.0, 70.0),
    "jpeg": (4.0, 95.0),
    "exposure": (-4.0, 2.0),
}
HIDDEN = (48, 24)
STEPS = 6000
BATCH = 300  # chains
JITTER = 0.04  # noise on the standardised features, against overfitting to few clips
WEIGHT_DECAY = 0.3
PRIOR = 0.2
HALFWAY = 2.75  # levels of faults at which quality is a half
PIXEL = 0.5  # a sharp picture's own blur, in its pixels
PER_OCTAVE = 1.5  # levels that each doubling of the blur costs
ONE_WAY = 0.6  # share of a motion's variance that counts, as it blurs one direction only
SMALL_STEP = 0.1
OF_ORDER = 0.3  # weight of the differences within a chain, to which how good the face was matters less
OF_RANK = 8.0  # weight of chains out of order: without it, nine tenths of unseen LFW photos got better by slight blur
RANK_MARGIN = 0.1  # a step is asked for as it would be on a flawless face, up to this
RANK_SOFTNESS = 0.01
LEAST_FALL = 0.003  # two copies that differ by less need not be in order
OF_SHARPNESS = (0.4, 0.4)  # levels of sharpness that a level of noise and of compression cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=iqa.WEIGHTS)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    faces = collect(arguments.data, held=False)
    np.savez_compressed(arguments.out, **train(examples(faces, arguments.seed), arguments.seed))


@dataclass(frozen=True)
class Examples:
    """Chains of `CHAIN` copies of a face, alike but for one fault, which rises.

    features [n, CHAIN, f]; blur [n, CHAIN]: standard deviation in pixels of a face shown 160 pixels wide, the pixels'
    own included; faults [n, CHAIN, 3]: levels of noise, compression, exposure; origin [n]: number of the clip or photo.
    """

    features: NDArray[np.float32]
    blur: NDArray[np.float32]
    faults: NDArray[np.float32]
    origin: NDArray[np.int64]


def examples(faces: list[Face], seed: int) -> Examples:
    """`CHAINS` chains of every face."""
    rng = np.random.default_rng(seed)
    origins = {name: number for number, name in enumerate(sorted({_origin(face) for face in faces}))}
    found: list[list[NDArray]] = []
    blurs, faults = [], []
    for face in faces:
        for _ in range(CHAINS[face.source]):
            copies = [example(*recipe) for recipe in chain(face, rng)]
            found.append([iqa.features(copy.window, copy.box) for copy, _, _ in copies])
            blurs.append([blur for _, blur, _ in copies])
            faults.append([fault for _, _, fault in copies])
    origin = np.repeat([origins[_origin(face)] for face in faces], [CHAINS[face.source] for face in faces])
    return Examples(np.array(found, "f"), np.array(blurs, "f"), np.array(faults, "f"), origin)


def chain(face: Face, rng: np.random.Generator) -> list[tuple[Face, dict[str, float], int]]:
    """What `example` needs for one chain."""
    least = 28 if rng.random() < 0.5 else max(28, face.side / 3)
    side = np.exp(rng.uniform(np.log(least), np.log(max(face.side, least + 1))))
    face = resized(face, min(1.0, side / face.side))
    common = {kind: drawn(kind, rng) for kind in FAULTS if rng.random() < 0.12}
    if rng.random() < 0.2 and face.side < 300:
        common["enlarged"] = rng.uniform(1, 3)
    if rng.random() < 0.3:
        common["cropped"] = 1.0
    kind, seed = str(rng.choice(list(FAULTS))), int(rng.integers(1 << 30))
    rising = sorted((drawn(kind, rng) for _ in range(CHAIN)), key=lambda amount: badness(kind, amount))
    if rng.random() < 0.7:
        rising[0] = 0.0
    return [(face, common | {kind: amount}, seed) for amount in rising]


def drawn(kind: str, rng: np.random.Generator) -> float:
    """A random amount of one fault."""
    low, high = FAULTS[kind]
    return float(
        rng.uniform(low, high) if kind == "exposure" else np.exp(rng.uniform(np.log(low), np.log(high)))
    )


def badness(kind: str, amount: float) -> float:
    """Orders the amounts of a fault from the least to the worst."""
    return exposure_level(amount) if kind == "exposure" else -amount if kind == "jpeg" else amount


def exposure_level(stops: float) -> float:
    """Level of a wrong exposure: light that was clipped is lost, dim light costs less."""
    return 1.6 * stops if stops > 0 else 0.25 * stops**2


def example(
    face: Face, amounts: dict[str, float], seed: int
) -> tuple[Face, float, tuple[float, float, float]]:
    """A face with faults put in as a camera does; its blur, and its levels of noise, compression and exposure."""
    rng = np.random.default_rng(seed)
    footprint = PIXEL * iqa.SHOWN / min(face.side, iqa.SHOWN)
    if amounts.get("scaling", 0.0) > 1:
        footprint *= amounts["scaling"]
    variance = amounts.get("gaussian", 0.0) ** 2 + ONE_WAY * amounts.get("motion", 0.0) ** 2 / 12
    for kind in ("exposure", "gaussian", "motion", "scaling"):
        face = degraded(face, kind, amounts.get(kind, 0.0), rng)
    if "enlarged" in amounts:
        face = resized(face, amounts["enlarged"], (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[seed % 2])
    noise, setting = amounts.get("noise", 0.0), int(amounts.get("jpeg", 0.0))
    fineness = float(np.sqrt(iqa.SHOWN / face.side))  # how coarse the frame's pixels look on the face
    levels = [0.0, 0.0, exposure_level(amounts.get("exposure", 0.0))]
    if noise:
        levels[0] = 1.45 * np.log2(1 + noise * min(fineness, 1.0) / 6)
    if setting:
        quantiser = 5000 / setting if setting < 50 else 200 - 2 * setting
        levels[1] = 1.25 * np.log2(1 + quantiser * fineness / 60)
    face = degraded(degraded(face, "noise", noise, rng), "jpeg", setting, rng)
    if "cropped" in amounts:
        face = cropped(face, np.random.default_rng(seed))
    return face, float(np.sqrt(footprint**2 + variance)), (levels[0], levels[1], levels[2])


def cropped(face: Face, rng: np.random.Generator) -> Face:
    """Without a strip at one side: moves the grid of blocks, and may remove a part of the face."""
    dx, dy = (int(rng.uniform(0, start + 0.35 * face.side)) for start in np.maximum(face.box[:2], 0))
    return Face(
        np.ascontiguousarray(face.window[dy:, dx:]),
        face.box - np.array([dx, dy, dx, dy]),
        face.source,
        face.name,
    )


def train(data: Examples, seed: int) -> dict[str, NDArray[np.float32]]:
    """Fit the network, and each origin's own blur and faults; returns what `QualityNetwork` reads."""
    torch.manual_seed(seed)
    mean, scale = data.features.mean((0, 1)), 1 / (data.features.std((0, 1)) + 1e-3)
    x = torch.from_numpy(np.clip((data.features - mean) * scale, -4, 4))
    blur, faults, origin = map(torch.from_numpy, (data.blur, data.faults, data.origin))
    layers = [nn.Linear(x.shape[-1], HIDDEN[0]), nn.Linear(*HIDDEN), nn.Linear(HIDDEN[1], 2)]
    net = nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2], nn.Sigmoid())
    own = nn.Parameter(torch.full((int(origin.max()) + 1, 2), -3.0))
    optimiser = torch.optim.AdamW(
        [{"params": net.parameters(), "weight_decay": WEIGHT_DECAY}, {"params": [own], "weight_decay": 0.0}],
        lr=4e-3,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=STEPS)
    falls = -targets(blur, faults, torch.zeros(len(x), 2)).diff(dim=1)
    for step in range(STEPS):
        batch = torch.randint(len(x), (BATCH,))
        seen = x[batch] + JITTER * torch.randn(BATCH, CHAIN, x.shape[-1])
        unknown = nn.functional.softplus(own)
        wanted = targets(blur[batch], faults[batch], unknown[origin[batch]])
        answers = net(seen)
        missed = answers - wanted
        steps = missed.diff(dim=1) / (wanted.diff(dim=1).abs().detach() + SMALL_STEP)
        loss = (missed**2).mean() + OF_ORDER * nn.functional.huber_loss(steps, torch.zeros_like(steps))
        loss = loss + OF_RANK * disorder(answers, falls[batch])
        optimiser.zero_grad()
        (loss + PRIOR * unknown.mean(0).sum()).backward()
        optimiser.step()
        schedule.step()
        if step % 1000 == 999:
            print(f"step {step + 1}: error {float(loss.detach()) ** 0.5:.4f}", flush=True)
    stored = {"mean": mean, "scale": scale}
    for number, layer in enumerate(layers):
        stored |= {f"w{number}": layer.weight.detach().numpy().T, f"b{number}": layer.bias.detach().numpy()}
    return {name: np.ascontiguousarray(values, np.float32) for name, values in stored.items()}


def targets(blur: Tensor, faults: Tensor, unknown: Tensor) -> Tensor:
    """Wanted answers [n, CHAIN, 2] in 0..1: iqa / 100 and sharpness. The worst fault counts most.

    unknown: [n, 2], the face's own blur (in the same unit) and its own other fault (in levels).
    """
    softness = PER_OCTAVE * torch.log2(torch.sqrt(blur**2 + unknown[:, :1] ** 2) / PIXEL)
    total = torch.sqrt(softness**2 + (faults**2).sum(-1) + unknown[:, 1:] ** 2)
    dull = softness + OF_SHARPNESS[0] * faults[..., 0] + OF_SHARPNESS[1] * faults[..., 1]
    return 2.0 ** -((torch.stack([total, dull], -1) / HALFWAY) ** 1.5)


def disorder(answers: Tensor, falls: Tensor) -> Tensor:
    """How far chains of answers [n, CHAIN, 2] are from falling as they should, as one number.

    falls: [n, CHAIN - 1, 2], how much a flawless face's answers would fall from copy to copy; zero where they would
    not. A hinge made smooth, as in ranking losses (Burges et al., "Learning to Rank using Gradient Descent", 2005).
    """
    short = falls.clamp(max=RANK_MARGIN) + answers.diff(dim=1)
    return (RANK_SOFTNESS * nn.functional.softplus(short / RANK_SOFTNESS) * (falls > LEAST_FALL)).mean()


def _origin(face: Face) -> str:
    return f"{face.source}:{face.name.split(':')[0]}"


if __name__ == "__main__":
    main()
