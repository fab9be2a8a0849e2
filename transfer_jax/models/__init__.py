"""Networks: Linen modules that return (output, named intermediates).

Every network is called as `module(x, *, train, domain=None)` and does not know the
method that trains it.

The backbones, from SqueezeNet to ViT, are sequences of named layers with these
attributes:
  classes: number of outputs of the layer 'logits'. 0 leaves the layer out; the output
    is then the feature vector (n, d) below it.
  start_after, end_at: run only the layers after `start_after`, up to and including
    `end_at`, whose activation is the output. Other layers have no parameters. An
    unknown name raises ValueError.
  norm: builds the norm layers, norm(name=...); None leaves them out and gives the
    convolutions a bias. ConvNeXt and ViT have layer norms instead, and no `norm`.
  relu: the rectifier of SqueezeNet, AlexNet and VGG; ops.guided_relu for
    visualisations.
  dropout: rate in training, before the classifier and where the paper has it.
  dtype: type of the computation; parameters and the output are float32.
They take normalised images (n, h, w, 3) of any size and return (output, {layer:
activation}). Parameter paths begin with the name of the layer.
"""

from transfer_jax.models.alexnet import AlexNet
from transfer_jax.models.bottleneck import Bottleneck
from transfer_jax.models.cifar_resnet import CifarResNet
from transfer_jax.models.convnext import ConvNeXt
from transfer_jax.models.decoders import DigitDecoder
from transfer_jax.models.deeplab import DeepLab
from transfer_jax.models.digits import (
    GaninMnist,
    GaninSigns,
    GaninSvhn,
    LeNet,
    SmallNet,
)
from transfer_jax.models.efficientnet import EfficientNet
from transfer_jax.models.fcn import FCN
from transfer_jax.models.googlenet import GoogLeNet
from transfer_jax.models.heads import ClassDiscriminators, Classifier, Discriminator
from transfer_jax.models.layered import LayeredNet
from transfer_jax.models.layers import Conv
from transfer_jax.models.mobilenet import MobileNetV1, MobileNetV2
from transfer_jax.models.norm import SOURCE, AutoDial, BatchNorm
from transfer_jax.models.resnet import ResNet
from transfer_jax.models.score_maps import ScoreMaps
from transfer_jax.models.squeezenet import SqueezeNet
from transfer_jax.models.vgg import VGG
from transfer_jax.models.vit import ViT
from transfer_jax.models.zfnet import ZFNet

__all__ = [
    'SOURCE',
    'AlexNet',
    'AutoDial',
    'BatchNorm',
    'Bottleneck',
    'CifarResNet',
    'ClassDiscriminators',
    'Classifier',
    'Conv',
    'ConvNeXt',
    'DeepLab',
    'Discriminator',
    'DigitDecoder',
    'EfficientNet',
    'FCN',
    'GaninMnist',
    'GaninSigns',
    'GaninSvhn',
    'LayeredNet',
    'GoogLeNet',
    'LeNet',
    'MobileNetV1',
    'MobileNetV2',
    'ResNet',
    'ScoreMaps',
    'SmallNet',
    'SqueezeNet',
    'VGG',
    'ViT',
    'ZFNet',
]
