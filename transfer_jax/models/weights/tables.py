"""Layer names of each architecture in published files of torchvision, timm and Keras.

A new kind of file needs one more table here, or in later_tables for networks since
EfficientNet.
"""

from transfer_jax.models import (
    alexnet,
    deeplab,
    googlenet,
    mobilenet,
    resnet,
    squeezenet,
    vgg,
    zfnet,
)
from transfer_jax.models.weights import later_tables
from transfer_jax.models.weights.mappings import KERAS, PYTORCH, Mapping, pair


def _squeezenet() -> Mapping:
    """torchvision's squeezenet1_1."""
    indices = (3, 4, 6, 7, 9, 10, 11, 12)
    layers = {'features.0': 'conv1/conv', 'classifier.1': 'logits/conv'}
    for index, (number, _, _) in zip(indices, squeezenet.FIRES, strict=True):
        for part in ('squeeze', 'expand1x1', 'expand3x3'):
            layers[f'features.{index}.{part}'] = f'fire{number}/{part}/conv'
    return Mapping('squeezenet', PYTORCH, layers)


def _mobilenet_v1() -> Mapping:
    """MobileNet of Keras."""
    layers = {'conv1': 'conv1/conv', 'conv1_bn': 'conv1/norm', 'conv_preds': 'logits'}
    for i in range(1, len(mobilenet.FIRST) + 1):
        for theirs, ours in (('dw', 'depthwise'), ('pw', 'pointwise')):
            layers[f'conv_{theirs}_{i}'] = f'block{i}/{ours}/conv'
            layers[f'conv_{theirs}_{i}_bn'] = f'block{i}/{ours}/norm'
    return Mapping('mobilenet_v1', KERAS, layers)


def _mobilenet_v2() -> Mapping:
    """torchvision's mobilenet_v2."""
    layers = {
        'classifier.1': 'logits',
        **pair('features.0.0', 'features.0.1', 'conv1'),
    }
    layers |= pair('features.18.0', 'features.18.1', 'conv2')
    number = 0
    for expansion, _, blocks, _ in mobilenet.SECOND:
        for _ in range(blocks):
            number += 1
            parts = ('expand', 'depthwise') if expansion > 1 else ('depthwise',)
            theirs, ours = f'features.{number}.conv', f'block{number}'
            for i, part in enumerate(parts):
                layers |= pair(f'{theirs}.{i}.0', f'{theirs}.{i}.1', f'{ours}/{part}')
            i = len(parts)
            layers |= pair(f'{theirs}.{i}', f'{theirs}.{i + 1}', f'{ours}/project')
    return Mapping('mobilenet_v2', PYTORCH, layers)


def _mobilenet_v2_timm() -> Mapping:
    """timm's mobilenetv2_100, which has the layer names of an EfficientNet."""
    layers = {
        'classifier': 'logits',
        **pair('conv_stem', 'bn1', 'conv1'),
        **pair('conv_head', 'bn2', 'conv2'),
    }
    number = 0
    for stage, (expansion, _, blocks, _) in enumerate(mobilenet.SECOND):
        if expansion > 1:
            parts = ('conv_pw', 'expand'), ('conv_dw', 'depthwise')
            parts = (*parts, ('conv_pwl', 'project'))
        else:
            parts = ('conv_dw', 'depthwise'), ('conv_pw', 'project')
        for i in range(blocks):
            number += 1
            theirs, ours = f'blocks.{stage}.{i}', f'block{number}'
            for j, (conv, part) in enumerate(parts, 1):
                layers |= pair(f'{theirs}.{conv}', f'{theirs}.bn{j}', f'{ours}/{part}')
    return Mapping('mobilenet_v2_timm', PYTORCH, layers)


def _vgg_timm(depth: int) -> Mapping:
    """timm's vgg16 and vgg19, whose dense layers are convolutions.

    timm's ResNets have the names of torchvision's.
    """
    dense = {'fc6': 'pre_logits.fc1', 'fc7': 'pre_logits.fc2', 'logits': 'head.fc'}
    mapping = _vgg(depth)
    layers = {dense.get(v, k): v for k, v in mapping.layers.items()}
    return mapping._replace(name=f'vgg{depth}_timm', layers=layers, maps={})


def _cifar_resnet(depth: int) -> Mapping:
    """pytorch_resnet_cifar10's, whose shortcuts have no parameters."""
    layers = {**pair('conv1', 'bn1', 'conv1'), 'linear': 'logits'}
    for stage in (1, 2, 3):
        for i in range((depth - 2) // 6):
            layers |= _residual(stage, i, 2)
    return Mapping(f'resnet{depth}_cifar', PYTORCH, layers)


def _resnet(depth: int) -> Mapping:
    """torchvision's and timm's resnet18, resnet34, resnet50, resnet101."""
    stages, three = resnet.DEPTHS[depth]
    layers = {**pair('conv1', 'bn1', 'conv1'), 'fc': 'logits'}
    for stage, blocks in enumerate(stages, 1):
        for i in range(blocks):
            layers |= _residual(stage, i, 3 if three else 2)
        if stage > 1 or three:
            theirs, ours = f'layer{stage}.0.downsample', f'block{stage}_1/shortcut'
            layers |= pair(f'{theirs}.0', f'{theirs}.1', ours)
    return Mapping(f'resnet{depth}', PYTORCH, layers)


def _deeplab() -> Mapping:
    """DeepLab-v2 in the code of AdaptSegNet and ADVENT.

    'layer5' classifies the third stage and 'layer6' the last; either may be absent.
    Where there is no classifier of the third stage, AdaptSegNet names the last one
    'layer5': its arrays then have another shape than ours, and are skipped or renamed.
    """
    resnet101 = _resnet(101)
    layers = {k: v for k, v in resnet101.layers.items() if v != 'logits'}
    for theirs, ours in (('layer5', 'auxiliary'), ('layer6', 'scores')):
        for i, rate in enumerate(deeplab.RATES):
            layers[f'{theirs}.conv2d_list.{i}'] = f'{ours}/rate{rate}'
    head = ('auxiliary', 'scores')
    return Mapping('deeplab_v2', PYTORCH, layers, head=head)


def _residual(stage: int, i: int, convolutions: int) -> dict[str, str]:
    layers, theirs, ours = {}, f'layer{stage}.{i}', f'block{stage}_{i + 1}'
    for j in range(1, convolutions + 1):
        layers |= pair(f'{theirs}.conv{j}', f'{theirs}.bn{j}', f'{ours}/conv{j}')
    return layers


def _googlenet() -> Mapping:
    """torchvision's googlenet, whose auxiliary classifiers are left out."""
    parts = {
        'branch1': 'branch1',
        'branch2.0': 'branch2_1',
        'branch2.1': 'branch2_2',
        'branch3.0': 'branch3_1',
        'branch3.1': 'branch3_2',
        'branch4.1': 'branch4',
    }
    units = {f'conv{i}': f'conv{i}' for i in (1, 2, 3)}
    for block in googlenet.INCEPTIONS:
        name = f'inception{block}'
        units |= {
            f'{name}.{theirs}': f'{name}/{ours}' for theirs, ours in parts.items()
        }
    layers = {'fc': 'logits'}
    for theirs, ours in units.items():
        layers |= pair(f'{theirs}.conv', f'{theirs}.bn', ours)
    return Mapping('googlenet', PYTORCH, layers, ignored=('aux1.', 'aux2.'))


def _alexnet() -> Mapping:
    """torchvision's alexnet."""
    return _five_convolutions('alexnet', alexnet.MAP)


def _zfnet() -> Mapping:
    """The ZF net as torchvision would name it.

    No file of it is a standard; rename one to the names of torchvision's alexnet.
    """
    return _five_convolutions('zfnet', zfnet.MAP)


def _five_convolutions(name: str, side: int) -> Mapping:
    indices = enumerate((0, 3, 6, 8, 10), 1)
    layers = {f'features.{index}': f'conv{i}/conv' for i, index in indices}
    layers |= _dense(1, 4, 6)
    return _with_dense_head(name, layers, side)


def _vgg(depth: int) -> Mapping:
    """torchvision's vgg16 and vgg19, without norm."""
    layers, index = {}, 0
    for stage, count in enumerate(vgg.DEPTHS[depth], 1):
        for i in range(1, count + 1):
            layers[f'features.{index}'] = f'conv{stage}_{i}/conv'
            index += 2
        index += 1
    layers |= _dense(0, 3, 6)
    return _with_dense_head(f'vgg{depth}', layers, vgg.MAP)


def _with_dense_head(name: str, layers: dict[str, str], side: int) -> Mapping:
    dense = ('fc6', 'fc7', 'logits')
    return Mapping(name, PYTORCH, layers, {'fc6': (side, side)}, head=dense)


def _dense(*indices: int) -> dict[str, str]:
    theirs = (f'classifier.{index}' for index in indices)
    return dict(zip(theirs, ('fc6', 'fc7', 'logits'), strict=True))


def _folded(mapping: Mapping) -> Mapping:
    """The mapping without norms, which are folded into convolutions with a bias."""
    layers = {k: v for k, v in mapping.layers.items() if not v.endswith('/norm')}
    return mapping._replace(name=f'{mapping.name}_folded', layers=layers)


# {architecture: names}
MAPPINGS = {
    mapping.name: mapping
    for mapping in (
        _squeezenet(),
        _mobilenet_v1(),
        _mobilenet_v2(),
        _folded(_mobilenet_v2()),
        _mobilenet_v2_timm(),
        *map(_cifar_resnet, (20, 32, 56)),
        _alexnet(),
        *map(_vgg, (16, 19)),
        *map(_vgg_timm, (16, 19)),
        _googlenet(),
        _zfnet(),
        *map(_resnet, (18, 34, 50, 101)),
        _deeplab(),
        *later_tables.all_mappings(),
    )
}
