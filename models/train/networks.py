"""The two built-in networks, as PyTorch modules. Their Rust twins: engine/nets/src/."""
import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    """Residual block without normalisation. A new block is the identity: its second convolution
    starts at zero, so growing the network never loses what it has learned (the paper's tiny
    Gaussian start kills the signal in plain chains)."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.kaiming_normal_(self.conv1.weight, nonlinearity="relu")
        nn.init.zeros_(self.conv1.bias)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(x)))


class DnResNet(nn.Module):
    """Blind denoiser: DN-ResNet (Ren, El-Khamy, Lee 2018) on 2x2 blocks of pixels."""

    arch = "dn-resnet"

    def __init__(self, channels=48, blocks=2):
        super().__init__()
        self.channels = channels
        self.head = nn.Conv2d(12, channels, 3, padding=1)
        self.blocks = nn.ModuleList(Block(channels) for _ in range(blocks))
        self.tail = nn.Conv2d(channels, 12, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)

    def grow(self, blocks):
        while len(self.blocks) < blocks:
            self.blocks.append(Block(self.channels))

    def forward(self, rgb):
        x = F.pixel_unshuffle(rgb, 2).contiguous(memory_format=torch.channels_last)
        f = self.head(x)
        for block in self.blocks:
            f = block(f)
        return F.pixel_shuffle(x + self.tail(f), 2)


class CtSrcnn(nn.Module):
    """Upscaler in the manner of CT-SRCNN (Ren, El-Khamy, Lee 2017), carried to the small side."""

    arch = "ct-srcnn"

    def __init__(self, channels=32, blocks=2, scale=2):
        super().__init__()
        self.channels, self.scale = channels, scale
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.blocks = nn.ModuleList(Block(channels) for _ in range(blocks))
        self.tail = nn.Conv2d(channels, 3 * scale * scale, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)

    grow = DnResNet.grow

    def forward(self, rgb):
        f = self.head(rgb)
        for block in self.blocks:
            f = block(f)
        skip = F.interpolate(rgb, scale_factor=self.scale, mode="nearest")
        return F.pixel_shuffle(self.tail(f), self.scale) + skip
