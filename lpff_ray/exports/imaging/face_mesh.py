"""FaceMesh's 478 points of a face in a crop, lips, eyes and pupils looked at again.

Where FaceMesh sees no face there are the points of the head model in the measured pose.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lpff_ray.geometry.head_model import EYE_CORNERS, head_model
from lpff_ray.geometry.transforms import apply, crop_transform, invert, warp_crop

INPUT = 192
REGION = (
    1.5  # side of the network's crop over that of the face's square (mediapipe's face_landmark_front graph)
)
POINTS = 478
SEEN = 0.5  # least probability that there is a face (mediapipe's own)

# Which of the 478 points the network's further outputs are, in their order; google/mediapipe,
# modules/face_landmark/tensors_to_face_landmarks_with_attention.pbtxt.
LIPS = (
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409),
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415),
    *(76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306, 184, 74, 73, 72, 11, 302, 303, 304, 408),
    *(62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292, 183, 42, 41, 38, 12, 268, 271, 272, 407),
)
RIGHT_EYE = (
    *(
        33,
        7,
        163,
        144,
        145,
        153,
        154,
        155,
        133,
        246,
        161,
        160,
        159,
        158,
        157,
        173,
        130,
        25,
        110,
        24,
        23,
        22,
        26,
        112,
    ),
    *(
        243,
        247,
        30,
        29,
        27,
        28,
        56,
        190,
        226,
        31,
        228,
        229,
        230,
        231,
        232,
        233,
        244,
        113,
        225,
        224,
        223,
        222,
        221,
    ),
    *(
        189,
        35,
        124,
        46,
        53,
        52,
        65,
        143,
        111,
        117,
        118,
        119,
        120,
        121,
        128,
        245,
        156,
        70,
        63,
        105,
        66,
        107,
        55,
        193,
    ),
)
LEFT_EYE = (
    *(
        263,
        249,
        390,
        373,
        374,
        380,
        381,
        382,
        362,
        466,
        388,
        387,
        386,
        385,
        384,
        398,
        359,
        255,
        339,
        254,
        253,
        252,
    ),
    *(
        256,
        341,
        463,
        467,
        260,
        259,
        257,
        258,
        286,
        414,
        446,
        261,
        448,
        449,
        450,
        451,
        452,
        453,
        464,
        342,
        445,
        444,
    ),
    *(
        443,
        442,
        441,
        413,
        265,
        353,
        276,
        283,
        282,
        295,
        372,
        340,
        346,
        347,
        348,
        349,
        350,
        357,
        465,
        383,
        300,
        293,
    ),
    *(334, 296, 336, 285, 417),
)
RIGHT_IRIS, LEFT_IRIS = tuple(range(468, 473)), tuple(range(473, 478))


def face_mesh(crop: NDArray[np.uint8], box: NDArray, upright: float) -> NDArray[np.float64] | None:
    """FaceMesh's points [478, 2] of the face of a crop [s, s, 3] RGB, pixels; None where it sees none.

    box: around the face's 68 points [4], pixels. upright: how far the face is turned in the crop, radians
    (`geometry.rotation.upright_angle`).
    """
    middle, side = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max())
    transform = crop_transform(middle, REGION * side, upright, INPUT)
    outputs = _network()(warp_crop(crop, transform, INPUT).astype(np.float32)[None] / 255.0)
    mesh, lips, right, left, right_iris, left_iris, presence = (output.reshape(-1) for output in outputs)
    if 1 / (1 + np.exp(-float(presence[0]))) < SEEN:
        return None
    points = np.zeros((POINTS, 2))
    points[:468] = mesh.reshape(468, 3)[:, :2]
    parts = (
        (LIPS, lips),
        (RIGHT_EYE, right),
        (LEFT_EYE, left),
        (RIGHT_IRIS, right_iris),
        (LEFT_IRIS, left_iris),
    )
    for where, refined in parts:
        points[list(where)] = refined.reshape(-1, 2)
    return apply(invert(transform), points)


def model_mesh(rotation: NDArray, pixels_per_cm: float, origin: NDArray) -> NDArray[np.float64]:
    """The same points [478, 2] of the head model, turned by rotation [3, 3]; origin: of the head's frame [2], pixels.

    The pupils are in the middle of their eyes.
    """
    mesh = head_model().mesh
    right, left = (mesh[list(corners)].mean(0) for corners in EYE_CORNERS)
    whole = np.concatenate([mesh, np.tile(right, (5, 1)), np.tile(left, (5, 1))])
    return np.asarray(origin + pixels_per_cm * (whole @ rotation.T)[:, :2], np.float64)


@lru_cache(maxsize=1)
def _network() -> Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """The network on one picture [1, 192, 192, 3]: LiteRT has not its operators, and batches of torch are large."""
    import torch  # seconds

    from lpff_ray.models.cards import load_cards
    from lpff_ray.models.networks.tflite_graph import TfliteGraph

    graph = TfliteGraph(load_cards()["facemesh-attention"].path())

    def run(picture: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        with torch.inference_mode():
            return [output.numpy() for output in graph(torch.from_numpy(picture))]

    return run
