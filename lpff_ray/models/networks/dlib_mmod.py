"""dlib's convolutional face detector, read from its own .dat file into torch. dlib is not needed.

The file is dlib's serialisation of `net_type` (dnn_mmod_face_detection_ex.cpp): three convolutions that halve, three
that do not, and a last one that scores an 80-pixel window at every eighth pixel. Here it only verifies
crops that another detector found.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from lpff_ray.errors import UserError
from lpff_ray.models.networks.dlib_layers import MEAN_RGB, SCALE, Layers, folded_convolution
from lpff_ray.models.networks.torch_dlib import conv2d

CROP = 160
MIDDLE = slice(5, 12)  # of the 17 x 17 positions in a crop, those within 24 pixels of its middle


class DlibMmod(nn.Module):
    """Whether there is a face of about 80 pixels in the middle of a crop: a score of about 1 if so, below 0 if not."""

    def __init__(self, path: Path) -> None:
        """Raises UserError if the file is missing or is not this network."""
        super().__init__()
        try:
            layers = Layers(path.read_bytes())
            modules: list[nn.Module] = []
            while layers.next_tag() == "con_4":
                modules += [conv2d(folded_convolution(layers)), nn.ReLU()]
            if len(modules) != 14 or layers.next_tag():
                raise ValueError("not seven convolutions")
        except OSError as error:
            raise UserError(f"{path}: can not be read: {error.strerror}") from None
        except ValueError as error:
            raise UserError(
                f"{path}: not dlib's face detector, or damaged ({error}): "
                "pip install --force-reinstall face_recognition_models"
            ) from None
        self.layers = nn.Sequential(*modules[:-1])
        self.register_buffer("mean", torch.tensor(MEAN_RGB).reshape(1, 3, 1, 1))
        self.mean: Tensor
        self.requires_grad_(False)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """float32 [n, 3, 160, 160], RGB 0..255 -> [n], the best score near the middle."""
        scores = self.layers((x - self.mean) / SCALE)
        return scores[:, 0, MIDDLE, MIDDLE].amax(dim=(1, 2))
