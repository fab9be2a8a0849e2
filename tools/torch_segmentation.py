"""DeepLab-v2 in plain PyTorch, with the names of AdaptSegNet's and ADVENT's files."""

import torch.nn.functional as F
from torch import nn


class _Block(nn.Module):
    """A bottleneck with the stride in the first convolution, as in Caffe."""

    def __init__(self, before, width, stride, dilation):
        super().__init__()
        after = 4 * width
        self.conv1 = nn.Conv2d(before, width, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(
            width, width, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.downsample = nn.Identity()
        if before != after:
            conv = nn.Conv2d(before, after, 1, stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(after))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class _Pyramid(nn.Module):
    """The sum of four dilated convolutions."""

    def __init__(self, before, classes):
        super().__init__()
        self.conv2d_list = nn.ModuleList(
            nn.Conv2d(before, classes, 3, padding=rate, dilation=rate)
            for rate in (6, 12, 18, 24)
        )

    def forward(self, x):
        return sum(conv(x) for conv in self.conv2d_list)


class DeepLab(nn.Module):
    """Chen et al. 2018 with ResNet-101; returns logits (n, h w classes)."""

    def __init__(self, classes=19):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1, ceil_mode=True)
        before = 64
        # width, blocks, stride of the first, dilation
        table = ((64, 3, 1, 1), (128, 4, 2, 1), (256, 23, 1, 2), (512, 3, 1, 4))
        for i, (width, count, stride, dilation) in enumerate(table, 1):
            stage = []
            for j in range(count):
                stage.append(_Block(before, width, 1 if j else stride, dilation))
                before = 4 * width
            self.add_module(f'layer{i}', nn.Sequential(*stage))
        self.layer5 = _Pyramid(1024, classes)
        self.layer6 = _Pyramid(2048, classes)

    def forward(self, x):
        size = x.shape[2:]
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        x = self.layer3(self.layer2(self.layer1(x)))
        self.layer5(x)  # recorded, and no part of the answer
        x = self.layer6(self.layer4(x))
        x = F.interpolate(x, size, mode='bilinear', align_corners=True)
        return x.permute(0, 2, 3, 1).flatten(1)
