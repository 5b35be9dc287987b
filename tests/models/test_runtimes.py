from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.data import astronaut

from lpff_ray.errors import UserError
from lpff_ray.models.cards import load_cards
from lpff_ray.models.package_files import package_file
from lpff_ray.models.runtimes import EmbeddingModel, TfliteModel
from lpff_ray.models.torch_runtime import TorchBackend

MODELS = {
    **{name: card.path() for name, card in load_cards().items()},
    # Not used by the product (it finds half of the profiles that short range finds), but its graph has operators and
    # sparse weights that the others lack.
    "blazeface-full": package_file(
        "mediapipe", "modules/face_detection/face_detection_full_range_sparse.tflite"
    ),
}
SIZES = {"blazeface-short": 128, "blazeface-full": 192, "facemesh": 192}
BLACK = {"blazeface-short": -1.0, "blazeface-full": -1.0, "facemesh": 0.0}


def crops(count: int, height: int, width: int) -> np.ndarray:
    """uint8 [count, height, width, 3]: windows sliding over a photo."""
    photo = astronaut()
    return np.stack([photo[3 * i : 3 * i + height, 5 * i : 5 * i + width] for i in range(count)])


def pictures(name: str, count: int, height_width: tuple[int, int] | None = None) -> np.ndarray:
    """float32 [count, height, width, 3] as the model takes them: RGB in [-1, 1] or [0, 1]."""
    height, width = height_width or (SIZES[name], SIZES[name])
    scaled = crops(count, height, width) / 255 * (1 - BLACK[name]) + BLACK[name]
    return scaled.astype(np.float32)


@pytest.fixture(scope="module")
def embedding() -> EmbeddingModel:
    return EmbeddingModel(MODELS["dlib-resnet"])


@pytest.mark.parametrize("name", SIZES)
def test_a_result_does_not_depend_on_its_batch(name: str) -> None:
    model = TfliteModel(MODELS[name])
    batch = pictures(name, 7)
    assert model.input_size == (SIZES[name], SIZES[name])
    together = model(batch)
    for number in (0, 3, 6):
        for many, one in zip(together, model(batch[number : number + 1]), strict=True):
            np.testing.assert_array_equal(many[number], one[0])
    assert len(np.unique(together[0][:, 0], axis=0)) == 7  # seven pictures, seven results


@pytest.mark.parametrize("name", SIZES)
def test_torch_in_fixed_batches_equals_litert(name: str) -> None:
    """What a GPU runs, on the CPU: more than one batch, the last one padded."""
    batch = pictures(name, 33)
    expected = TfliteModel(MODELS[name])(batch)
    graph = TorchBackend(MODELS[name], "cpu", None)
    results = graph(batch)
    for result, reference in zip(results, expected, strict=True):
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, reference, rtol=0, atol=5e-4)
    for many, one in zip(results, graph(batch[32:]), strict=True):
        np.testing.assert_array_equal(many[32:], one)


def test_another_input_size() -> None:
    model = TfliteModel(MODELS["blazeface-short"], input_size=(256, 384))
    batch = pictures("blazeface-short", 2, (256, 384))
    boxes, scores = model(batch)
    assert boxes.shape == (2, 5376, 16)
    assert scores.shape == (2, 5376, 1)
    for result, reference in zip((boxes, scores), model(batch[1:]), strict=True):
        np.testing.assert_array_equal(result[1:], reference)


def test_a_size_that_the_graph_can_not_take_is_one_clear_line() -> None:
    with pytest.raises(
        UserError, match=r"full_range_sparse\.tflite: LiteRT can not run it with 256 x 384"
    ) as caught:
        TfliteModel(MODELS["blazeface-full"], input_size=(256, 384))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [TfliteModel, EmbeddingModel])
def test_a_file_of_another_kind_is_one_clear_line(tmp_path: Path, make: type) -> None:
    (tmp_path / "model").write_text("not a model")
    with pytest.raises(UserError, match="model: "):
        make(tmp_path / "model")


def test_no_images_give_no_results(embedding: EmbeddingModel) -> None:
    boxes, scores = TfliteModel(MODELS["blazeface-short"])(pictures("blazeface-short", 1)[:0])
    assert boxes.shape == (0, 896, 16)
    assert scores.shape == (0, 896, 1)
    assert embedding(crops(1, 150, 150)[:0]).shape == (0, 128)


def test_threads_share_a_model(embedding: EmbeddingModel) -> None:
    mesh = TfliteModel(MODELS["facemesh"])
    inputs = pictures("facemesh", 8)
    faces = crops(8, 150, 150)
    meshes, embeddings = mesh(inputs)[0], embedding(faces)

    def measure(number: int) -> None:
        number %= 8
        np.testing.assert_array_equal(mesh(inputs[number : number + 1])[0], meshes[number : number + 1])
        np.testing.assert_array_equal(embedding(faces[number : number + 1]), embeddings[number : number + 1])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(measure, range(24)))


def test_embeddings_have_unit_length_whatever_their_batch(embedding: EmbeddingModel) -> None:
    faces = crops(21, 150, 150)  # more than one batch
    together = embedding(faces)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    for number in (0, 7, 8, 20):
        np.testing.assert_array_equal(embedding(faces[number : number + 1])[0], together[number])
    np.testing.assert_array_equal(embedding(faces[::-1]), together[::-1])


def test_wrong_arrays_are_refused(embedding: EmbeddingModel) -> None:
    model = TfliteModel(MODELS["facemesh"])
    with pytest.raises(ValueError, match="batch is float64"):
        model(pictures("facemesh", 1).astype(np.float64))
    with pytest.raises(ValueError, match="batch is float32"):
        model(pictures("facemesh", 1, (128, 192)))
    with pytest.raises(ValueError, match="crops are uint8"):
        embedding(crops(1, 112, 112))


def test_litert_keeps_quiet_and_others_do_not(tmp_path: Path) -> None:
    """Its INFO line would cut through progress bars; what other threads write meanwhile must still arrive."""
    program = """
import os, threading, time
from lpff_ray.models.cards import load_cards
from lpff_ray.models.package_files import package_file
from lpff_ray.models.runtimes import TfliteModel
stop = threading.Event()
written = []
def chatter():
    while not stop.is_set():
        written.append(os.write(2, b"line\\n"))
        time.sleep(0.0002)
thread = threading.Thread(target=chatter)
thread.start()
TfliteModel(load_cards()["facemesh"].path())
stop.set()
thread.join()
print(len(written))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=120)
    lines = done.stderr.splitlines()
    assert set(lines) == {b"line"}
    assert len(lines) == int(done.stdout)


def test_an_absent_device_is_one_clear_line() -> None:
    absent = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(UserError, match=f"device {absent}: torch sees"):
        TfliteModel(MODELS["facemesh"], device=absent)
    with pytest.raises(UserError, match="device gpu: unknown"):
        EmbeddingModel(MODELS["dlib-resnet"], device="gpu")


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
class TestCuda:
    @pytest.mark.parametrize("name", SIZES)
    def test_graphs_equal_litert_whatever_the_batch(self, name: str) -> None:
        batch = pictures(name, 40)
        model = TfliteModel(MODELS[name], device="cuda")
        results = model(batch)
        for result, reference in zip(results, TfliteModel(MODELS[name])(batch), strict=True):
            np.testing.assert_allclose(result, reference, rtol=0, atol=5e-4)
        for many, one in zip(results, model(batch[35:36]), strict=True):
            np.testing.assert_array_equal(many[35:36], one)

    def test_embeddings_equal_the_cpu_whatever_the_batch(self, embedding: EmbeddingModel) -> None:
        faces = crops(70, 150, 150)
        model = EmbeddingModel(MODELS["dlib-resnet"], device="cuda")
        results = model(faces)
        np.testing.assert_allclose(results, embedding(faces), rtol=0, atol=1e-4)
        np.testing.assert_array_equal(model(faces[66:67])[0], results[66])
