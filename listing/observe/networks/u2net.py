"""U2-Net-p (Qin et al., U2-Net, Pattern Recognition 2020): which pixels stand out; batch norms are folded into the
convolutions.

``benchmarks.training.foreground`` says where the weights come from.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

INNER, WIDTH = 16, 64  # channels inside a block and between blocks
HEIGHTS = (7, 6, 5, 4)  # of the blocks that shrink their input; the others dilate instead


class Convolution(nn.Module):
    """3 x 3, then ReLU; the size stays."""

    def __init__(self, channels: int, filters: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, 3, padding=dilation, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        """(n, given, h, w) of (n, taken, h, w)."""
        return functional.relu(self.conv(x))


class Block(nn.Module):
    """A small U-Net with a residual (RSU-L); ``dilated`` instead of shrunk (RSU-4F).

    Args:
        height: L, levels with the bottom one.
    """

    def __init__(self, height: int, taken: int, dilated: bool = False) -> None:
        super().__init__()
        self.dilated = dilated
        wide = [2**k if dilated else 1 for k in range(height - 1)]
        self.begin = Convolution(taken, WIDTH)
        self.down = nn.ModuleList(Convolution(INNER if k else WIDTH, INNER, d) for k, d in enumerate(wide))
        self.bottom = Convolution(INNER, INNER, 2 ** (height - 1) if dilated else 2)
        # From the bottom up.
        self.up = nn.ModuleList(
            Convolution(2 * INNER, INNER if k else WIDTH, wide[k]) for k in reversed(range(height - 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, WIDTH, h, w) of (n, taken, h, w)."""
        x = self.begin(x)
        levels, h = [], x
        for number, down in enumerate(self.down):
            h = down(h if self.dilated or not number else shrunk(h))
            levels.append(h)
        h = self.bottom(h)
        for up, level in zip(self.up, reversed(levels), strict=True):
            h = up(torch.cat([stretched(h, level), level], 1))
        return h + x


class U2Net(nn.Module):
    """A U-Net of such blocks."""

    def __init__(self) -> None:
        super().__init__()
        heights = [*HEIGHTS, 4, 4]
        self.encoder = nn.ModuleList(
            Block(h, WIDTH if k else 3, dilated=k >= len(HEIGHTS)) for k, h in enumerate(heights)
        )
        self.decoder = nn.ModuleList(
            Block(heights[k], 2 * WIDTH, dilated=k >= len(HEIGHTS)) for k in reversed(range(len(heights) - 1))
        )
        self.sides = nn.ModuleList(nn.Conv2d(WIDTH, 1, 3, padding=1) for _ in heights)
        self.join = nn.Conv2d(len(heights), 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 1, h, w) shares 0..1, in 32 bits, of (n, 3, h, w) pixels."""
        levels, h = [], x
        for number, block in enumerate(self.encoder):
            h = block(shrunk(h) if number else h)
            levels.append(h)
        features = [h]
        for block, level in zip(self.decoder, reversed(levels[:-1]), strict=True):
            h = block(torch.cat([stretched(h, level), level], 1))
            features.append(h)
        maps = [stretched(side(f).float(), x) for side, f in zip(self.sides, reversed(features), strict=True)]
        return functional.conv2d(torch.cat(maps, 1), self.join.weight.float(), self.join.bias.float()).sigmoid()  # type: ignore[union-attr]


def shrunk(x: Tensor) -> Tensor:
    """Half the size."""
    return functional.max_pool2d(x, 2, 2, ceil_mode=True)


def stretched(x: Tensor, like: Tensor) -> Tensor:
    """To another's height and width."""
    if x.shape[-2:] == like.shape[-2:]:
        return x
    return functional.interpolate(x, size=like.shape[-2:], mode="bilinear")
