"""Backbone features, each brought to the head's channels by one residual bottleneck."""

from __future__ import annotations

import torch
from torch import Tensor, nn

NORM_GROUPS = 32


class Projection(nn.Module):
    """A residual bottleneck block: 1x1, 3x3, 1x1 convolutions, GroupNorm after each.

    detectron2's BottleneckBlock (detectron2/modeling/backbone/resnet.py) at stride 1 with norm
    "GN". The shortcut is the identity where the number of channels stays, else a 1x1 convolution.

    Args:
        channels: channels of the input.
        bottleneck: channels of the middle.
        out_channels: channels of the output.
    """

    def __init__(self, channels: int, bottleneck: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, bottleneck, 1, bias=False)
        self.norm1 = nn.GroupNorm(NORM_GROUPS, bottleneck)
        self.conv2 = nn.Conv2d(bottleneck, bottleneck, 3, padding=1, bias=False)
        self.norm2 = nn.GroupNorm(NORM_GROUPS, bottleneck)
        self.conv3 = nn.Conv2d(bottleneck, out_channels, 1, bias=False)
        self.norm3 = nn.GroupNorm(NORM_GROUPS, out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, out_channels, 1, bias=False),
                nn.GroupNorm(NORM_GROUPS, out_channels),
            )

    def forward(self, feature: Tensor) -> Tensor:
        """Project a feature, float32 (N, channels, h, w) to (N, out_channels, h, w)."""
        x = torch.relu(self.norm1(self.conv1(feature)))
        x = torch.relu(self.norm2(self.conv2(x)))
        x = self.norm3(self.conv3(x))
        return torch.relu(x + self.shortcut(feature))
