"""MobileNets and EfficientNet in plain PyTorch, like those of torch_reference.

V1 has the names of keras-applications with '.' for '/', the others torchvision's.
"""

import torch.nn.functional as F
from torch import nn


class SameConv2d(nn.Conv2d):
    """TensorFlow's SAME padding: ceil(size / stride) outputs, an odd pixel last."""

    def forward(self, x):
        pads = []
        for size, window, stride in zip(
            x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True
        ):
            total = max((-(-size // stride) - 1) * stride + window - size, 0)
            pads += [total // 2, total - total // 2]
        x = F.pad(x, pads)
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, 1, self.groups)


def _unit(before, width, window=1, stride=1, groups=1, same=False):
    """Convolution, norm, relu6."""
    conv = SameConv2d if same else nn.Conv2d
    layer = conv(before, width, window, stride, window // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(width), nn.ReLU6())


class _Inverted(nn.Module):
    """Expand 1x1, depthwise 3x3, project 1x1 without relu; plus x if shapes agree."""

    def __init__(self, before, width, stride, expand, same):
        super().__init__()
        hidden = expand * before
        self.add = stride == 1 and before == width
        self.conv = nn.Sequential(
            *([_unit(before, hidden)] if expand > 1 else []),
            _unit(hidden, hidden, 3, stride, hidden, same),
            nn.Conv2d(hidden, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x):
        return x + self.conv(x) if self.add else self.conv(x)


class MobileNetV2(nn.Module):
    """Sandler et al. 2018, width 1; padded as torchvision does or as TensorFlow."""

    def __init__(self, same=False):
        super().__init__()
        layers, before = [_unit(3, 32, 3, 2, same=same)], 32
        # expansion, width, blocks, stride of the first (table 2)
        table = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2))
        table += ((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
        for expand, width, count, stride in table:
            for i in range(count):
                step = stride if i == 0 else 1
                layers.append(_Inverted(before, width, step, expand, same))
                before = width
        self.features = nn.Sequential(*layers, _unit(320, 1280))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


class MobileNetV1(nn.Module):
    """Howard et al. 2017, width 0.75: thirteen pairs of depthwise and 1x1."""

    WIDTHS = (48, 96, 96, 192, 192, 384, 384, 384, 384, 384, 384, 768, 768)
    STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)

    def __init__(self):
        super().__init__()

        def add(name, layer, width):
            self.add_module(name, layer)
            self.add_module(f'{name}_bn', nn.BatchNorm2d(width, eps=1e-3))
            self.add_module(f'{name}_relu', nn.ReLU6())
            self.order.append(name)

        self.order, before = [], 24
        add('conv1', SameConv2d(3, 24, 3, 2, bias=False), 24)
        for i, (width, stride) in enumerate(
            zip(self.WIDTHS, self.STRIDES, strict=True), 1
        ):
            depthwise = SameConv2d(before, before, 3, stride, groups=before, bias=False)
            add(f'conv_dw_{i}', depthwise, before)
            add(f'conv_pw_{i}', nn.Conv2d(before, width, 1, bias=False), width)
            before = width
        self.conv_preds = nn.Conv2d(768, 1000, 1)

    def forward(self, x):
        for name in self.order:
            for part in ('', '_bn', '_relu'):
                x = getattr(self, name + part)(x)
        return self.conv_preds(x.mean((2, 3), keepdim=True)).flatten(1)


class _Excite(nn.Module):
    """Channels weighted by a function of their means (Hu et al. 2018)."""

    def __init__(self, width, narrow):
        super().__init__()
        self.fc1 = nn.Conv2d(width, narrow, 1)
        self.fc2 = nn.Conv2d(narrow, width, 1)

    def forward(self, x):
        means = x.mean((2, 3), keepdim=True)
        return x * self.fc2(F.silu(self.fc1(means))).sigmoid()


def _silu_unit(before, width, window=1, stride=1, groups=1, linear=False):
    """Convolution, norm and, unless linear, SiLU."""
    conv = nn.Conv2d(
        before, width, window, stride, window // 2, groups=groups, bias=False
    )
    layers = [conv, nn.BatchNorm2d(width)]
    return nn.Sequential(*layers, *([] if linear else [nn.SiLU()]))


class _Excited(nn.Module):
    """An inverted residual with squeeze and excitation."""

    def __init__(self, before, width, window, stride, expand):
        super().__init__()
        hidden = expand * before
        self.add = stride == 1 and before == width
        self.block = nn.Sequential(
            *([_silu_unit(before, hidden)] if expand > 1 else []),
            _silu_unit(hidden, hidden, window, stride, hidden),
            _Excite(hidden, before // 4),
            _silu_unit(hidden, width, linear=True),
        )

    def forward(self, x):
        return x + self.block(x) if self.add else self.block(x)


class EfficientNet(nn.Module):
    """EfficientNet-B0 of Tan & Le 2019, with torchvision's names and padding."""

    def __init__(self):
        super().__init__()
        layers, before = [_silu_unit(3, 32, 3, 2)], 32
        # expansion, window, width, blocks, stride of the first (table 1)
        table = ((1, 3, 16, 1, 1), (6, 3, 24, 2, 2), (6, 5, 40, 2, 2), (6, 3, 80, 3, 2))
        table += ((6, 5, 112, 3, 1), (6, 5, 192, 4, 2), (6, 3, 320, 1, 1))
        for expand, window, width, count, stride in table:
            stage = []
            for i in range(count):
                step = stride if i == 0 else 1
                stage.append(_Excited(before, width, window, step, expand))
                before = width
            layers.append(nn.Sequential(*stage))
        self.features = nn.Sequential(*layers, _silu_unit(320, 1280))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))
