"""3DDFA_V2 (Guo et al., ECCV 2020) with its MobileNet: parameters of a morphable face model, pose among them."""

from __future__ import annotations

from torch import Tensor

from lpff_ray.models.optional.checkpoint import CheckpointNetwork

STRIDE_2 = ("dw2_2", "dw3_2", "dw4_2", "dw5_6")
BLOCKS = ("dw2_1", "dw2_2", "dw3_1", "dw3_2", "dw4_1", "dw4_2", *(f"dw5_{n}" for n in range(1, 7)), "dw6")
# Mean and standard deviation of the twelve pose parameters, from 3DDFA_V2's param_mean_std_62d_120x120 (MIT).
# Its own file of them is a pickle, which is not opened here.
MEAN = (
    *(0.0003492636315058917, 2.52790130161884e-07, -6.875197868794203e-07, 60.1679573059082),
    *(-6.295513230725192e-07, 0.0005757200415246189, -5.085391239845194e-05, 74.2781982421875),
    *(5.400917189035681e-07, 6.574138387804851e-05, 0.0003442012530285865, -66.67157745361328),
)
STD = (
    *(0.00017632152594160289, 6.737943476764485e-05, 0.00044708489440381527, 26.55023193359375),
    *(0.0001231376954820007, 4.493021697271615e-05, 7.923670636955649e-05, 6.982563018798828),
    *(0.0004350444069132209, 0.00012314890045672655, 0.00017400001524947584, 20.80303955078125),
)


class Ddfa(CheckpointNetwork):
    """The pose part: a scaled rotation with a translation, from the model to the crop."""

    name = "3DDFA_V2"
    side = 120

    def forward(self, x: Tensor) -> Tensor:
        """float32 [n, 3, 120, 120], RGB 0..255 -> [n, 3, 4]; x right, y up, z towards the camera."""
        x = (x.flip(1) - 127.5) / 128
        x = self._convolution(x, "conv1", "bn1", 2)
        for block in BLOCKS:
            x = self._convolution(x, f"{block}.conv_dw", f"{block}.bn_dw", 2 if block in STRIDE_2 else 1)
            x = self._convolution(x, f"{block}.conv_sep", f"{block}.bn_sep", 1)
        pose = self.weights.linear(x.mean((2, 3)), "fc_param")[:, :12]
        return (pose * pose.new_tensor(STD) + pose.new_tensor(MEAN)).reshape(-1, 3, 4)

    def _convolution(self, x: Tensor, name: str, norm: str, stride: int) -> Tensor:
        return self.weights.norm(self.weights.convolution(x, name, stride), norm).relu()
