"""Backbones in plain PyTorch, with the state-dict names of their checkpoints.

An independent implementation of the networks in transfer_jax.models, used only for
comparison. Names and layers are torchvision's, but nothing is imported from it. The
ResNets for CIFAR are those of He et al. 2016, section 4.2, under Y. Idelbayev's names.
Images are NCHW. MobileNets and EfficientNet are in torch_mobile, transformers in
torch_transformers.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn


def alexnet() -> nn.Module:
    """Krizhevsky 2014, one tower."""
    features = nn.Sequential(
        *(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, 1, 1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, 1, 1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(3, 2)),
    )
    head = nn.Sequential(
        *(nn.Dropout(), nn.Linear(256 * 36, 4096), nn.ReLU()),
        *(nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU()),
        nn.Linear(4096, 1000),
    )
    return _WithHead(features, nn.AdaptiveAvgPool2d(6), head)


def zfnet() -> nn.Module:
    """Zeiler & Fergus 2014 without contrast normalisation, named as AlexNet."""

    def pool():
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    features = nn.Sequential(
        *(nn.Conv2d(3, 96, 7, 2, 1), nn.ReLU(), pool()),
        *(nn.Conv2d(96, 256, 5, 2), nn.ReLU(), pool()),
        *(nn.Conv2d(256, 384, 3, 1, 1), nn.ReLU()),
        *(nn.Conv2d(384, 384, 3, 1, 1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, 1, 1), nn.ReLU(), pool()),
    )
    head = nn.Sequential(
        *(nn.Dropout(), nn.Linear(256 * 36, 4096), nn.ReLU()),
        *(nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU()),
        nn.Linear(4096, 1000),
    )
    return _WithHead(features, nn.AdaptiveAvgPool2d(6), head)


def vgg(*convolutions: int) -> nn.Module:
    """Simonyan & Zisserman 2015; `convolutions` are counts of the five blocks."""
    layers, before = [], 3
    for count, width in zip(convolutions, (64, 128, 256, 512, 512), strict=True):
        for _ in range(count):
            layers += [nn.Conv2d(before, width, 3, 1, 1), nn.ReLU()]
            before = width
        layers.append(nn.MaxPool2d(2))
    head = nn.Sequential(
        *(nn.Linear(512 * 49, 4096), nn.ReLU(), nn.Dropout()),
        *(nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout()),
        nn.Linear(4096, 1000),
    )
    return _WithHead(nn.Sequential(*layers), nn.AdaptiveAvgPool2d(7), head)


class _WithHead(nn.Module):
    """features -> pool -> classifier."""

    def __init__(self, features, pool, classifier):
        super().__init__()
        self.features, self.avgpool, self.classifier = features, pool, classifier

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


class _Fire(nn.Module):
    def __init__(self, before, squeeze, expand):
        super().__init__()
        self.squeeze = nn.Conv2d(before, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x):
        x = F.relu(self.squeeze(x))
        return F.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], 1))


class SqueezeNet(nn.Module):
    """Version 1.1 of Iandola et al. 2016."""

    def __init__(self):
        super().__init__()

        def pool():
            return nn.MaxPool2d(3, 2, ceil_mode=True)

        self.features = nn.Sequential(
            *(nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool()),
            *(_Fire(64, 16, 64), _Fire(128, 16, 64), pool()),
            *(_Fire(128, 32, 128), _Fire(256, 32, 128), pool()),
            *(_Fire(256, 48, 192), _Fire(384, 48, 192)),
            *(_Fire(384, 64, 256), _Fire(512, 64, 256)),
        )
        last = nn.Conv2d(512, 1000, 1)
        self.classifier = nn.Sequential(nn.Dropout(), last, nn.ReLU())

    def forward(self, x):
        return self.classifier(self.features(x)).mean((2, 3))


def _unit(before, width, window, stride=1, padding=0):
    """Convolution, norm and relu under GoogLeNet's names."""
    layers = {
        'conv': nn.Conv2d(before, width, window, stride, padding, bias=False),
        'bn': nn.BatchNorm2d(width, eps=1e-3),
        'relu': nn.ReLU(),
    }
    return nn.Sequential(OrderedDict(layers))


class _Inception(nn.Module):
    def __init__(self, before, one, reduce3, three, reduce5, five, pooled):
        super().__init__()
        self.branch1 = _unit(before, one, 1)
        self.branch2 = nn.Sequential(
            _unit(before, reduce3, 1), _unit(reduce3, three, 3, padding=1)
        )
        # 3x3 instead of the paper's 5x5, as in the published weights.
        self.branch3 = nn.Sequential(
            _unit(before, reduce5, 1), _unit(reduce5, five, 3, padding=1)
        )
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), _unit(before, pooled, 1))

    def forward(self, x):
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return torch.cat([branch(x) for branch in branches], 1)


class GoogLeNet(nn.Module):
    """Szegedy et al. 2015 with batch norm, without the two auxiliary classifiers."""

    def __init__(self):
        super().__init__()
        self.conv1 = _unit(3, 64, 7, 2, 3)
        self.conv2 = _unit(64, 64, 1)
        self.conv3 = _unit(64, 192, 3, 1, 1)
        self.inception3a = _Inception(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = _Inception(256, 128, 128, 192, 32, 96, 64)
        self.inception4a = _Inception(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = _Inception(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = _Inception(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = _Inception(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = _Inception(528, 256, 160, 320, 32, 128, 128)
        self.inception5a = _Inception(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = _Inception(832, 384, 192, 384, 48, 128, 128)
        self.fc = nn.Linear(1024, 1000)

    def forward(self, x):
        x = F.max_pool2d(self.conv1(x), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.conv3(self.conv2(x)), 3, 2, ceil_mode=True)
        x = self.inception3b(self.inception3a(x))
        x = self.inception4a(F.max_pool2d(x, 3, 2, ceil_mode=True))
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        x = F.max_pool2d(self.inception4e(x), 2, 2, ceil_mode=True)
        return self.fc(self.inception5b(self.inception5a(x)).mean((2, 3)))


class _Block(nn.Module):
    """x + f(x), where f is two 3x3 convolutions or, if deep, 1x1, 3x3, 1x1."""

    def __init__(self, before, width, stride, deep):
        super().__init__()
        after = 4 * width if deep else width
        # (window, width before, width after, stride): the 3x3 one strides.
        shapes = [(3, before, width, stride), (3, width, width, 1)]
        if deep:
            shapes = [(1, before, width, 1), (3, width, width, stride)]
            shapes.append((1, width, after, 1))
        self.depth = len(shapes)
        for i, (window, a, b, s) in enumerate(shapes, 1):
            conv = nn.Conv2d(a, b, window, s, window // 2, bias=False)
            self.add_module(f'conv{i}', conv)
            self.add_module(f'bn{i}', nn.BatchNorm2d(b))
        self.downsample = nn.Identity()
        if stride > 1 or before != after:
            conv = nn.Conv2d(before, after, 1, stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(after))

    def forward(self, x):
        y = x
        for i in range(1, self.depth + 1):
            y = getattr(self, f'bn{i}')(getattr(self, f'conv{i}')(y))
            y = F.relu(y) if i < self.depth else y
        return F.relu(y + self.downsample(x))


class ResNet(nn.Module):
    """He et al. 2016 for ImageNet; deep blocks have the stride in the 3x3."""

    def __init__(self, blocks, deep=False):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        before = 64
        for i, count in enumerate(blocks):
            width, stage = 64 * 2**i, []
            for j in range(count):
                stage.append(_Block(before, width, 2 if i and not j else 1, deep))
                before = 4 * width if deep else width
            self.add_module(f'layer{i + 1}', nn.Sequential(*stage))
        self.fc = nn.Linear(before, 1000)

    def forward(self, x):
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


class _PadShortcut(nn.Module):
    """Option A: every second position; channels padded with zeros on both sides."""

    def forward(self, x):
        each = x.shape[1] // 2
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, each, each))


class CifarResNet(nn.Module):
    """6 n + 2 layers at widths 16, 32, 64; shortcuts without parameters."""

    def __init__(self, n):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        before = 16
        for i, width in enumerate((16, 32, 64), 1):
            first = _Block(before, width, 1 if width == before else 2, deep=False)
            if width != before:
                first.downsample = _PadShortcut()
            rest = (_Block(width, width, 1, deep=False) for _ in range(n - 1))
            self.add_module(f'layer{i}', nn.Sequential(first, *rest))
            before = width
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.linear(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))
