"""Trains PoseNet, the pose network: makes its weights.

    python -m training.train_pose --data ../shared/data --out lpff_ray/models/networks/posenet.npz

Faces are detected by the product's own detector, labelled by two teachers (and, on the head scan, exactly), split by
image, and learned with one thread. The model card, lpff_ray/models/networks/posenet.md, says how well the weights do.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lpff_ray.models.cards import load_cards
from lpff_ray.models.networks.posenet import STAGES
from lpff_ray.models.networks.tflite_graph import TfliteGraph
from lpff_ray.models.networks.tflite_layers import Convolution, Prelu
from lpff_ray.models.networks.torch_posenet import PoseNet, load_posenet
from training import pose_data
from training.augment import augmented
from training.pose_labels import Targets, targets

BATCH = 96
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.02
POSITION_WEIGHT = 0.3  # a percent of the crop's side, in degrees of rotation
AVERAGE_OVER = 250  # steps; the exponential mean of the weights is what is kept
FROZEN = 2  # first blocks that keep FaceMesh's weights, which saves a third of the time
SHARES = {"aflw": 0.55, "scan": 0.20, "video": 0.20, "lfw": 0.05}  # of each batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--faces", type=Path, help="where to keep the labelled faces between runs (.npz, 900 MB)"
    )
    parser.add_argument("--start", type=Path, help="weights to go on from; by default FaceMesh's trunk")
    parser.add_argument("--renders", type=int, default=2800)
    parser.add_argument("--steps", type=int, default=8500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if arguments.faces is not None and arguments.faces.is_file():
        faces = dict(np.load(arguments.faces, allow_pickle=False))
    else:
        faces = pose_data.collect(arguments.data, arguments.renders)
        if arguments.faces is not None:
            np.savez(arguments.faces, **faces)
    start = initial() if arguments.start is None else load_posenet(arguments.start).requires_grad_(True)
    partial = arguments.out.with_suffix(".partial.npz")
    save(train(faces, targets(faces), start, arguments.steps, arguments.seed, partial), arguments.out)
    partial.unlink()


def train(
    faces: dict[str, NDArray], wanted: Targets, start: PoseNet, steps: int, seed: int, checkpoint: Path
) -> PoseNet:
    """`start` after `steps` batches of the usable faces; `checkpoint` holds what a stopped training leaves."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    network = start.to(memory_format=torch.channels_last).train()
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(1 - 1 / AVERAGE_OVER)
    )
    for module in (network.stem, network.stem_activation, *network.blocks[:FROZEN]):
        module.requires_grad_(False)
    decayed = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}],
        LEARNING_RATE,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps, pct_start=0.08)
    pools = {source: np.flatnonzero((faces["source"] == source) & wanted.usable) for source in SHARES}
    everything = np.concatenate(list(pools.values()))
    begun, running = time.time(), 0.0
    for step in range(steps):
        picks = np.concatenate([rng.choice(pools[s], round(BATCH * share)) for s, share in SHARES.items()])
        others_crops = faces["crop"][rng.choice(everything, len(picks))]
        made = [
            augmented(
                faces["crop"][i],
                faces["inside"][i],
                wanted.rotation[i],
                faces["position"][i],
                pose_data.STORED_FACTOR,
                patch,
                rng,
            )
            for i, patch in zip(picks, others_crops, strict=True)
        ]
        images, truth, spots = (torch.from_numpy(np.stack(part)).float() for part in zip(*made, strict=True))
        rotation, expected, position = network(images.permute(0, 3, 1, 2) / 255)
        weight = torch.from_numpy(wanted.weight[picks]).float()
        loss = loss_of(rotation, expected, truth, weight) + POSITION_WEIGHT * position_error(
            position, spots, weight
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        average.update_parameters(network)
        running += (loss.item() - running) / min(step + 1, 200)
        if step % 200 == 0:
            save(average.module, checkpoint)
            print(f"step {step} of {steps}, {time.time() - begun:.0f} s, loss {running:.3f}", flush=True)
    return average.module.eval()


def loss_of(rotation: Tensor, expected: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Geodesic in degrees, and the Laplace likelihood that fits `expected` to it without bending the rotation."""
    error = torch.rad2deg(geodesic(rotation, truth))
    likelihood = error.detach() / expected + expected.log()
    return (weight * (error + 0.3 * likelihood)).mean()


def position_error(position: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Mean error of positions [n, 3], in percent of the crop's side and of the size; truth: NaN where not known."""
    known = truth.isfinite().all(1)
    missed = (position - truth.nan_to_num()).abs().sum(1)
    return 100 * (weight * known * missed).sum() / known.sum().clamp(min=1)


def geodesic(a: Tensor, b: Tensor) -> Tensor:
    """Angle in radians between rotations [n, 3, 3], with a gradient that stays finite at zero."""
    chord = ((a - b).square().sum((1, 2)) + 1e-6).sqrt()
    return 2 * torch.asin((chord / 8**0.5).clamp(max=0.999))


def initial() -> PoseNet:
    """PoseNet with FaceMesh's trunk (Apache-2.0, from the mediapipe wheel) and random layers behind it."""
    network = PoseNet()
    graph = TfliteGraph(load_cards()["facemesh"].path())
    trunk = iter([module for module in graph.modules() if isinstance(module, Convolution | Prelu)])
    layers = [network.stem, network.stem_activation]
    for block in list(network.blocks)[: -STAGES[-1][1]]:
        layers += [block.depthwise, block.pointwise, block.activation]
    with torch.no_grad():
        for layer in layers:
            source = next(trunk)
            values = source.slopes if isinstance(source, Prelu) else source.weight
            layer.weight.copy_(values.reshape(layer.weight.shape))
            if isinstance(layer, nn.Conv2d):
                layer.bias.copy_(source.bias)
    return network


def save(network: nn.Module, path: Path) -> None:
    """Write the weights as float16."""
    arrays = {name: value.half().numpy() for name, value in network.state_dict().items()}
    np.savez_compressed(path, **arrays)


if __name__ == "__main__":
    main()
