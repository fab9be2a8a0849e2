"""The layers of each architecture in the files that exist: PyTorch's and Keras's.

A new file is one more table here.
"""

from transfer_jax.models import mobilenet, squeezenet
from transfer_jax.models.weights.mappings import KERAS, PYTORCH, Mapping


def _squeezenet() -> Mapping:
    """torchvision's squeezenet1_1."""
    places = dict(zip((3, 4, 6, 7, 9, 10, 11, 12), squeezenet.FIRES, strict=True))
    layers = {'features.0': 'conv1/conv', 'classifier.1': 'logits/conv'}
    for place, (number, _, _) in places.items():
        for part in ('squeeze', 'expand1x1', 'expand3x3'):
            layers[f'features.{place}.{part}'] = f'fire{number}/{part}/conv'
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
        **_pair('features.0.0', 'features.0.1', 'conv1'),
    }
    layers |= _pair('features.18.0', 'features.18.1', 'conv2')
    number = 0
    for expansion, _, blocks, _ in mobilenet.SECOND:
        for _ in range(blocks):
            number += 1
            parts = ('expand', 'depthwise') if expansion > 1 else ('depthwise',)
            theirs, ours = f'features.{number}.conv', f'block{number}'
            for i, part in enumerate(parts):
                layers |= _pair(f'{theirs}.{i}.0', f'{theirs}.{i}.1', f'{ours}/{part}')
            i = len(parts)
            layers |= _pair(f'{theirs}.{i}', f'{theirs}.{i + 1}', f'{ours}/project')
    return Mapping('mobilenet_v2', PYTORCH, layers)


def _folded(mapping: Mapping) -> Mapping:
    """The same without norms, which are folded into convolutions with a bias."""
    layers = {k: v for k, v in mapping.layers.items() if not v.endswith('/norm')}
    return mapping._replace(name=f'{mapping.name}_folded', layers=layers)


def _pair(conv: str, norm: str, unit: str) -> dict[str, str]:
    return {conv: f'{unit}/conv', norm: f'{unit}/norm'}


# {architecture: names}
MAPPINGS = {
    mapping.name: mapping
    for mapping in (
        _squeezenet(),
        _mobilenet_v1(),
        _mobilenet_v2(),
        _folded(_mobilenet_v2()),
    )
}
