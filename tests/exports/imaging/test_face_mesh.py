"""FaceMesh with attention against mediapipe's own solution, and the picture of its points."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.data import astronaut

from lpff_ray.exports.imaging.face_mesh import (
    LEFT_EYE,
    LIPS,
    RIGHT_EYE,
    face_mesh,
    model_mesh,
)
from lpff_ray.exports.imaging.mesh_lines import draw_mesh
from lpff_ray.geometry.rotation import matrix_from_angles
from lpff_ray.models.cards import load_cards
from lpff_ray.models.networks.tflite_attention import custom_options
from lpff_ray.models.networks.tflite_file import TfliteFile

BOX, UPRIGHT = np.array([98.8, 69.9, 191.2, 177.2]), 0.052
# mediapipe 0.10.21, solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True), of the same picture.
MEDIAPIPES = {
    10: (146.4, 70.2),
    13: (143.3, 143.2),
    33: (115.2, 100.9),
    61: (122.4, 139.2),
    152: (142.0, 177.2),
    263: (175.8, 104.0),
    291: (165.2, 140.6),
    468: (123.5, 101.1),
    473: (166.6, 103.4),
}


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    found = face_mesh(np.ascontiguousarray(astronaut()[:300, 80:380]), BOX, UPRIGHT)
    assert found is not None
    return found


def test_the_points_are_mediapipes(points: np.ndarray) -> None:
    for number, wanted in MEDIAPIPES.items():
        assert points[number] == pytest.approx(wanted, abs=1.0), number


def test_the_further_outputs_are_of_the_points_that_the_file_names() -> None:
    file = TfliteFile(load_cards()["facemesh-attention"].path().read_bytes())
    subsets = [
        tuple(custom_options(operator.options)["subset_idxs"])
        for operator in file.operators()
        if operator.name == "Landmarks2TransformMatrix"
    ]
    assert subsets == [LIPS, RIGHT_EYE, LEFT_EYE]


def test_nothing_is_seen_where_no_face_is() -> None:
    assert face_mesh(np.zeros((300, 300, 3), np.uint8), BOX, 0.0) is None


def test_pupils_are_squares_and_sides_have_their_colours(points: np.ndarray) -> None:
    for mirrored in (False, True):
        image = draw_mesh(points * 512 / 300, 512, mirrored)
        right, left = (points[number] * 512 / 300 for number in (468, 473))
        if mirrored:
            right, left = (np.array([512 - eye[0], eye[1]]) for eye in (left, right))
        for eye, colour in ((right, (250, 200, 10)), (left, (10, 200, 250))):
            drawn = np.argwhere((image == colour).all(2))
            assert len(drawn) == 16
            assert drawn.mean(0)[::-1] == pytest.approx(eye, abs=1.5)


def test_the_head_model_looks_where_it_is_turned() -> None:
    for yaw in (-80.0, 80.0):
        turned = model_mesh(matrix_from_angles(*np.array([yaw, 0.0, 0.0])), 10.0, np.array([256.0, 256.0]))
        nose, eyes = turned[1, 0], turned[[468, 473], 0].mean()
        assert (nose < eyes) == (yaw > 0), "yaw > 0 looks to image-left"
        assert draw_mesh(turned, 512).max() > 0
