"""Pretrained backbones on real photographs: their classes and accuracies."""

import csv
import functools

import jax
import numpy as np
import pytest
from PIL import Image

from transfer_jax import data
from transfer_jax.recipes import backbones

# Classes of every tenth of the 250 photographs, as the networks see them.
GUESSES = {
    'squeezenet': '0 40 80 120 160 200 238 280 320 337 400 440 480 520 805 600 918 901 '
    '720 760 800 635 413 920 441',
    'mobilenet_v1': '0 40 80 120 160 200 239 280 320 360 400 440 480 520 560 600 640 '
    '680 720 760 800 600 671 920 505',
    'mobilenet_v2': '0 40 80 120 160 200 239 280 320 360 400 440 480 520 560 600 640 '
    '731 720 760 800 635 880 920 868',
}
# And of every fortieth of the 1000 images of CIFAR-10.
CIFAR_GUESSES = {
    'resnet20_cifar': '0601122453444556667788899',
    'resnet32_cifar': '8001122463444556667788899',
    'resnet56_cifar': '0001132263444556667788899',
}
CIFAR_ACCURACY = {
    'resnet20_cifar': 79.5,
    'resnet32_cifar': 80.8,
    'resnet56_cifar': 83.8,
}
# Measured by those who converted the files, on the same 250: top 1 and top 5 in %.
ACCURACY = {
    'squeezenet': (64.0, 83.6),
    'mobilenet_v1': (83.6, 95.6),
    'mobilenet_v2': (88.4, 99.2),
}


def _found(find, name):
    try:
        return find(name)
    except data.MissingData as error:
        pytest.skip(str(error).splitlines()[0])


def _first(name):
    return data.domains.files.locate(name, data.domains.data_dirs())[0]


def _photographs(every):
    """Centre crops (n, 224, 224, 3) of images with short side 256, and classes."""
    folder = _found(_first, 'imagenet_samples').parent
    with open(folder / 'MANIFEST.csv', encoding='utf-8') as lines:
        rows = list(csv.DictReader(lines))[::every]
    images = []
    for row in rows:
        image = Image.open(folder / row['file']).convert('RGB')
        scale = 256 / min(image.size)
        if scale != 1:  # a few are smaller
            size = [round(side * scale) for side in image.size]
            image = image.resize(size, Image.Resampling.BILINEAR)
        left, top = ((side - 224) // 2 for side in image.size)
        images.append(np.asarray(image.crop((left, top, left + 224, top + 224))))
    return np.stack(images), np.array([int(row['ilsvrc_index']) for row in rows])


def _logits(name, images):
    chosen = backbones.PRETRAINED[name]
    _found(backbones.locate, name)
    params, state = backbones.load(name)
    apply = functools.partial(chosen.module().apply, train=False)
    predict = jax.jit(lambda v, x: apply(v, x)[0])
    variables = {'params': params, **state}
    scaled = (images / 255 - np.array(chosen.mean)) / np.array(chosen.std)
    parts = np.split(scaled.astype(np.float32), max(1, len(images) // 25))
    return np.concatenate([predict(variables, part) for part in parts])


def _cifar(every):
    """Images (n, 32, 32, 3) and classes."""
    with np.load(_found(_first, 'cifar10_test')) as arrays:
        return arrays['images'][::every], arrays['labels'][::every]


@pytest.mark.real_data
@pytest.mark.parametrize('name', CIFAR_GUESSES)
def test_25_small_images(name):
    images, _ = _cifar(40)
    found = _logits(name, images).argmax(-1)
    assert ''.join(map(str, found)) == CIFAR_GUESSES[name]


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize('name', CIFAR_ACCURACY)
def test_accuracy_on_small_images_is_that_of_the_files(name):
    images, label = _cifar(1)
    found = 100 * (_logits(name, images).argmax(-1) == label).mean()
    np.testing.assert_allclose(found, CIFAR_ACCURACY[name], atol=0.4)


@pytest.mark.real_data
@pytest.mark.parametrize('name', GUESSES)
def test_25_photographs(name):
    images, _ = _photographs(10)
    assert _logits(name, images).argmax(-1).tolist() == [
        int(guess) for guess in GUESSES[name].split()
    ]


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize('name', ACCURACY)
def test_accuracy_is_that_of_the_files(name):
    images, label = _photographs(1)
    best = np.argsort(-_logits(name, images), -1)[:, :5]
    found = [100 * (best[:, :k] == label[:, None]).any(1).mean() for k in (1, 5)]
    np.testing.assert_allclose(found, ACCURACY[name], atol=0.4)


def test_a_missing_file_and_an_unknown_name_raise(tmp_path):
    with pytest.raises(data.MissingData, match='squeezenet1_1_imagenet.safetensors'):
        backbones.load('squeezenet', str(tmp_path))
    with pytest.raises(
        ValueError, match="no backbone 'squeezenat'; choose from squeeze"
    ):
        backbones.load('squeezenat')


def test_layers_are_those_of_the_network():
    layers = backbones.PRETRAINED['squeezenet'].layers
    assert layers[:3] == ('conv1', 'pool1', 'fire2')
    assert layers[-2:] == ('fire9', 'logits')
