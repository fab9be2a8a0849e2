"""Vision transformers and ConvNeXt in plain PyTorch, like those of torch_reference.

ViT has the names of timm, DeiT and DINO; the image tower of CLIP has OpenAI's; ConvNeXt
has torchvision's.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn


class _Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        n, t, d = x.shape
        each = [
            part.view(n, t, self.heads, d // self.heads).transpose(1, 2)
            for part in self.qkv(x).chunk(3, -1)
        ]
        q, k, v = each
        weights = (q @ k.transpose(-1, -2) / (d // self.heads) ** 0.5).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(n, t, d))


class _Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = _Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        layers = {
            'fc1': nn.Linear(width, 4 * width),
            'act': nn.GELU(),
            'fc2': nn.Linear(4 * width, width),
        }
        self.mlp = nn.Sequential(OrderedDict(layers))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    """Dosovitskiy et al. 2021, patches of 16 pixels, positions of a grid of 14."""

    def __init__(self, width, heads):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + 14 * 14, width))
        self.patch_embed = nn.Sequential(
            OrderedDict({'proj': nn.Conv2d(3, width, 16, 16)})
        )
        self.blocks = nn.Sequential(*(_Block(width, heads) for _ in range(12)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, 1000)

    def forward(self, x):
        x = _tokens(self.patch_embed(x), self.cls_token[0, 0], self.pos_embed[0])
        return self.head(self.norm(self.blocks(x))[:, 0])


def _tokens(patches, token, positions):
    """(n, d, h, w) -> (n, 1 + h w, d), with positions resized to h x w."""
    n, d, h, w = patches.shape
    grid = positions[1:].T.view(1, d, 14, 14)
    if (h, w) != (14, 14):
        grid = F.interpolate(grid, (h, w), mode='bicubic', antialias=True)
    patches = (patches + grid).flatten(2).transpose(1, 2)
    first = (token + positions[0]).expand(n, 1, d)
    return torch.cat([first, patches], 1)


class _QuickGelu(nn.Module):
    def forward(self, x):
        return x / (1 + torch.exp(-1.702 * x))


class _ResidualAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_1 = nn.LayerNorm(width)
        layers = {
            'c_fc': nn.Linear(width, 4 * width),
            'gelu': _QuickGelu(),
            'c_proj': nn.Linear(4 * width, width),
        }
        self.mlp = nn.Sequential(OrderedDict(layers))
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class ClipTower(nn.Module):
    """The image tower of ViT-B/16 in CLIP (Radford et al. 2021)."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 768, 16, 16, bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(768))
        self.positional_embedding = nn.Parameter(torch.zeros(1 + 14 * 14, 768))
        self.ln_pre = nn.LayerNorm(768)
        blocks = nn.Sequential(*(_ResidualAttention(768, 12) for _ in range(12)))
        self.transformer = nn.Sequential(OrderedDict({'resblocks': blocks}))
        self.ln_post = nn.LayerNorm(768)
        self.proj = nn.Parameter(torch.zeros(768, 512))

    def forward(self, x):
        x = _tokens(self.conv1(x), self.class_embedding, self.positional_embedding)
        x = self.transformer(self.ln_pre(x))
        return self.ln_post(x[:, 0]) @ self.proj


class _ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of a map."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class _Permute(nn.Module):
    def __init__(self, *axes):
        super().__init__()
        self.axes = axes

    def forward(self, x):
        return x.permute(self.axes)


class _ConvBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(width, width, 7, padding=3, groups=width),
            _Permute(0, 2, 3, 1),
            nn.LayerNorm(width, eps=1e-6),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Linear(4 * width, width),
            _Permute(0, 3, 1, 2),
        )
        self.layer_scale = nn.Parameter(torch.ones(width, 1, 1))

    def forward(self, x):
        return x + self.layer_scale * self.block(x)


class ConvNeXt(nn.Module):
    """ConvNeXt-T of Liu et al. 2022."""

    def __init__(self):
        super().__init__()

        def norm(width):
            return _ChannelNorm(width, eps=1e-6)

        layers, before = [], 3
        for width, count in ((96, 3), (192, 3), (384, 9), (768, 3)):
            parts = [nn.Conv2d(3, 96, 4, 4), norm(96)]
            if before > 3:
                parts = [norm(before), nn.Conv2d(before, width, 2, 2)]
            layers.append(nn.Sequential(*parts))
            layers.append(nn.Sequential(*(_ConvBlock(width) for _ in range(count))))
            before = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(norm(768), nn.Flatten(1), nn.Linear(768, 1000))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3), keepdim=True))
