"""An ONNX file on torch is what it is on OpenVINO, at any size; what can not be used is one line."""

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
from lpff_ray.models.fully_convolutional import FullyConvolutional
from lpff_ray.models.networks import onnx_graph

CENTERFACE = load_cards()["centerface"].path()


@pytest.fixture(scope="module")
def network() -> FullyConvolutional:
    return FullyConvolutional(CENTERFACE, "cpu")


@pytest.mark.parametrize(("height", "width"), [(128, 128), (96, 256), (320, 224)])
def test_torch_gives_what_openvino_gives(network: FullyConvolutional, height: int, width: int) -> None:
    pictures = np.stack([astronaut()[:height, 60 : 60 + width], astronaut()[-height:, :width]])
    graph = onnx_graph.OnnxGraph(CENTERFACE)
    with torch.inference_mode():
        torchs = graph(torch.from_numpy(pictures).permute(0, 3, 1, 2).float())
    for ours, openvinos in zip(torchs, network(pictures), strict=True):
        assert ours.shape == openvinos.shape
        np.testing.assert_allclose(ours.numpy(), openvinos, atol=5e-4)
    assert network(pictures)[0].max() > 0.5 or height < 200, "the portrait's face"


def test_a_result_does_not_depend_on_its_batch_or_thread(network: FullyConvolutional) -> None:
    pictures = np.stack([astronaut()[32 * i : 32 * i + 160, 64:320] for i in range(5)])
    together = network(pictures)
    with ThreadPoolExecutor(3) as pool:
        alone = list(pool.map(lambda i: network(pictures[i : i + 1]), range(5)))
    for number in range(5):
        for many, one in zip(together, alone[number], strict=True):
            np.testing.assert_array_equal(many[number], one[0])


def test_pictures_of_another_kind_are_refused(network: FullyConvolutional) -> None:
    with pytest.raises(ValueError, match=r"pictures are float32 .*, not uint8 \[n, h, w, 3\]"):
        network(np.zeros((1, 64, 64, 3), np.float32))


def test_a_file_that_can_not_be_used_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        FullyConvolutional(tmp_path / "none.onnx", "cpu")
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"no model" * 100)
    for make in (lambda: FullyConvolutional(damaged, "cpu"), lambda: onnx_graph.OnnxGraph(damaged)):
        with pytest.raises(UserError, match=r"damaged\.onnx: not an ONNX model") as error:
            make()
        assert "\n" not in str(error.value)


def test_an_operation_that_is_not_supported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(onnx_graph.OPERATIONS, "Sigmoid")
    with pytest.raises(UserError, match="not supported: operation Sigmoid"):
        onnx_graph.OnnxGraph(CENTERFACE)


def test_openvino_reports_nothing_to_anybody() -> None:
    """Importing OpenVINO as it is starts a thread that sends usage statistics."""
    program = (
        "import sys, threading; from lpff_ray.models.openvino_core import openvino_core; openvino_core();"
        "assert not any(name.startswith('openvino_telemetry') for name in sys.modules);"
        "assert threading.active_count() == 1; import openvino_telemetry"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_signal_after_openvino_worked_elsewhere_is_a_signal() -> None:
    """The alternative signal stack of the thread that had loaded OpenVINO was unmapped by another: Ctrl-C was a
    segmentation fault."""
    program = """
import faulthandler, gc, os, signal, sys, threading
faulthandler.enable()  # handlers run on the alternative stack
import numpy as np
from lpff_ray.measure.detection.centerface import load_centerface

made = [load_centerface("cpu", 64.0, 0.5)]
made[0].detect([np.zeros((64, 64, 3), np.uint8)])
signal.signal(signal.SIGINT, lambda number, frame: print("interrupted", flush=True))

def drop():
    made.clear()
    gc.collect()

thread = threading.Thread(target=drop)
thread.start()
thread.join()
os.kill(os.getpid(), signal.SIGINT)
print("alive")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["interrupted", "alive"]), done.stderr
