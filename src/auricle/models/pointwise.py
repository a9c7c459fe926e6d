"""Convolutions of width 1 that skip rows and columns."""

from torch import Tensor, nn
from torch.nn import functional as F

_FEWEST_CHANNELS = 16
"""Below these, oneDNN writes past its workspace in the gradient of a channels-last, strided
convolution of width 1 (uxlfoundation/oneDNN issue 6035; found in torch 2.15): the process dies."""


class PointwiseConv2d(nn.Conv2d):
    """A 1 x 1 convolution without bias, of every `stride`-th row and column."""

    def __init__(self, inputs: int, outputs: int, stride: int | tuple[int, int] = 1) -> None:
        super().__init__(inputs, outputs, 1, stride, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """Map `(batch, inputs, height, width)` to `(batch, outputs, height, width) / stride`."""
        if self.in_channels >= _FEWEST_CHANNELS:
            return super().forward(input)
        rows, columns = self.stride
        return F.conv2d(input[:, :, ::rows, ::columns], self.weight)
