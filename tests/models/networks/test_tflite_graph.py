"""The torch graphs against LiteRT, which is the authority on what a .tflite file means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tflite
import torch
from ai_edge_litert.interpreter import Interpreter
from PIL import Image
from skimage.data import astronaut

from lpff_ray.errors import UserError
from lpff_ray.models.cards import load_cards
from lpff_ray.models.networks.tflite_graph import TfliteGraph
from lpff_ray.models.package_files import package_file

MODELS = {
    **{name: card.path() for name, card in load_cards().items()},
    # Not used by the product (it finds half of the profiles that short range finds), but its graph has operators and
    # sparse weights that the others lack.
    "blazeface-full": package_file(
        "mediapipe", "modules/face_detection/face_detection_full_range_sparse.tflite"
    ),
}
TOLERANCE = 5e-4  # absolute, on raw outputs that reach 200
NETWORKS = {  # name: input size, value of a black pixel, outputs for one image
    "blazeface-short": (128, -1, [(896, 16), (896, 1)]),
    "blazeface-full": (192, -1, [(2304, 16), (2304, 1)]),
    "facemesh": (192, 0, [(1, 1, 1404), (1, 1, 1)]),
}


def images(height: int, width: int, black: int) -> np.ndarray:
    """Two photos and noise: float32 [3, height, width, 3] in [black, 1]."""
    photo = Image.fromarray(astronaut())
    crops = [photo, photo.crop((130, 10, 330, 210))]
    noise = np.random.default_rng(5).random((height, width, 3))
    stack = np.stack([np.asarray(crop.resize((width, height))) / 255 for crop in crops] + [noise])
    return (stack * (1 - black) + black).astype(np.float32)


def litert(path: Path, image: np.ndarray) -> list[np.ndarray]:
    """LiteRT's raw outputs for one image [h, w, c], without the batch dimension."""
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    source = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(source, [1, *image.shape])
    interpreter.allocate_tensors()
    interpreter.set_tensor(source, image[None])
    interpreter.invoke()
    return [interpreter.get_tensor(output["index"])[0] for output in interpreter.get_output_details()]


def assert_equals_litert(path: Path, batch: np.ndarray) -> None:
    with torch.inference_mode():
        ours = TfliteGraph(path)(torch.from_numpy(batch))
    for number, image in enumerate(batch):
        theirs = litert(path, image)
        assert len(ours) == len(theirs)
        for our, their in zip(ours, theirs, strict=True):
            assert our[number].shape == their.shape
            np.testing.assert_allclose(our[number].numpy(), their, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", NETWORKS)
def test_equals_litert(name: str) -> None:
    size, black, _ = NETWORKS[name]
    assert_equals_litert(MODELS[name], images(size, size, black))


@pytest.mark.parametrize("height_width", [(256, 384), (130, 203)])
def test_a_fully_convolutional_graph_equals_litert_at_other_sizes(height_width: tuple[int, int]) -> None:
    """Odd sizes make every SAME padding fall differently."""
    assert_equals_litert(MODELS["blazeface-short"], images(*height_width, black=-1))


def assert_equals_litert_where_faces_are(path: Path, image: np.ndarray) -> None:
    """For images on which BlazeFace's raw outputs may be of any size.

    Beside black borders it answers logits down to -30,000, where one float32 step is 2e-3: LiteRT itself is
    then 3e-2 away from the same graph in float64, and no absolute tolerance can hold. Anchors that could ever
    be faces keep it (-4 is a score of 0.018); the others agree relative to the largest output.
    """
    with torch.inference_mode():
        boxes, logits = (output[0].numpy() for output in TfliteGraph(path)(torch.from_numpy(image[None])))
    their_boxes, their_logits = litert(path, image)
    likely = their_logits[:, 0] > -4
    assert likely.any()
    np.testing.assert_allclose(boxes[likely], their_boxes[likely], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(logits[likely], their_logits[likely], rtol=0, atol=TOLERANCE)
    for ours, theirs in ((boxes, their_boxes), (logits, their_logits)):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE + 3e-5 * np.abs(theirs).max())


def test_equals_litert_where_faces_are_beside_black_borders() -> None:
    path = MODELS["blazeface-short"]
    image = np.full((128, 128, 3), -1, np.float32)
    image[:64, :64] = images(64, 64, black=-1)[0]
    assert litert(path, image)[1].min() < -10_000
    assert_equals_litert_where_faces_are(path, image)


@pytest.mark.data
@pytest.mark.parametrize("name", ["blazeface-short", "blazeface-full"])
def test_equals_litert_where_faces_are_on_real_photos(name: str, shared_data: Path) -> None:
    photos = sorted((shared_data / "pose" / "aflw2000_16").glob("*.jpg"))
    photos += sorted((shared_data / "identity" / "lfw10").glob("*/*0001.jpg"))
    assert len(photos) > 16
    size = NETWORKS[name][0]
    for photo in photos:
        with Image.open(photo) as file:
            pixels = np.asarray(file.convert("RGB").resize((size, size)), np.float32)
        assert_equals_litert_where_faces_are(MODELS[name], pixels / 127.5 - 1)


@pytest.mark.parametrize("name", NETWORKS)
def test_batches_of_any_length(name: str) -> None:
    size, black, shapes = NETWORKS[name]
    graph = TfliteGraph(MODELS[name])
    assert graph.input_size == (size, size)
    batch = torch.from_numpy(images(size, size, black))
    with torch.inference_mode():
        together, alone = graph(batch), graph(batch[1:2])
        assert [tuple(output.shape) for output in graph(batch[:0])] == [(0, *shape) for shape in shapes]
    assert [tuple(output.shape) for output in together] == [(3, *shape) for shape in shapes]
    for many, one in zip(together, alone, strict=True):
        torch.testing.assert_close(many[1:2], one, rtol=0, atol=TOLERANCE)


def test_an_unknown_operator_is_named(tmp_path: Path) -> None:
    data = bytearray(MODELS["blazeface-short"].read_bytes())
    model = tflite.Model.GetRootAsModel(data, 0)
    for number in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(number)
        if max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) == tflite.BuiltinOperator.RELU:
            for field in (4, 10):  # the 8-bit field and its 32-bit successor
                if offset := code._tab.Offset(field):
                    data[code._tab.Pos + offset] = tflite.BuiltinOperator.LOGISTIC
    path = tmp_path / "changed.tflite"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"changed\.tflite: not supported: operator LOGISTIC$"):
        TfliteGraph(path)


@pytest.mark.parametrize("length", [0, 4, 5000, 100_000])
def test_a_truncated_file_is_one_clear_line(tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes(MODELS["blazeface-short"].read_bytes()[:length])
    with pytest.raises(UserError, match=r"cut\.tflite: not a \.tflite model, or damaged"):
        TfliteGraph(path)


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.tflite: can not be read"):
        TfliteGraph(tmp_path / "absent.tflite")
