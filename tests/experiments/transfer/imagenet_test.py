"""Weights on validation images: the crop, the classes, top-1 and top-5."""

import functools
import hashlib

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from PIL import Image

from experiments.transfer import imagenet
from transfer_jax import data
from transfer_jax.models import weights
from transfer_jax.recipes import backbones, reading


def folder(root, classes, side=(40, 50)):
    rng = np.random.default_rng(0)
    for label in range(classes):
        path = root / f'n{label:08d}'
        path.mkdir(parents=True)
        image = rng.integers(0, 255, (*side, 3)).astype(np.uint8)
        Image.fromarray(image).save(path / f'ILSVRC2012_val_{label + 1:08d}.JPEG')


@pytest.mark.parametrize('processes', [0, pytest.param(1, marks=pytest.mark.slow)])
def test_images_are_read_in_order_with_the_usual_crop(tmp_path, processes):
    folder(tmp_path / 'imagenet' / 'val', 3)
    source = imagenet.photographs('imagenet', 28, 3, str(tmp_path))
    assert source.label.tolist() == [0, 1, 2]
    read = reading.in_order(source, 2, processes=processes)
    first, last = read
    assert last['mask'].tolist() == [1, 0] and last['label'].tolist() == [2, 2]
    path = tmp_path / 'imagenet' / 'val' / 'n00000001' / 'ILSVRC2012_val_00000002.JPEG'
    image = Image.open(path).resize((40, 32), Image.Resampling.BILINEAR)  # 256 / 224
    expected = np.asarray(image)[2:30, 6:34]
    np.testing.assert_array_equal(first['image'][1], expected)


def test_top_counts_the_classes_above_the_label():
    metric = imagenet.top(2)
    logits = np.array([[3.0, 2, 1], [3, 2, 1], [3, 2, 1], [1, 1, 1]])
    batch = {'label': np.array([0, 1, 2, 1]), 'mask': np.ones(4)}
    sums = metric.update(metric.init(), {'logits': logits}, batch)
    padding = {'label': np.array([0]), 'mask': np.zeros(1)}
    sums = metric.update(sums, {'logits': logits[:1]}, padding)
    assert metric.compute(sums) == {'top1': 0.25, 'top2': 0.75, 'images': 4}


def test_the_row_is_of_the_file_that_is_named(tmp_path, monkeypatch):
    """The accuracy of a network of drawn weights, and the digest of their file."""
    name, size, path = 'squeezenet', 33, tmp_path / 'drawn.safetensors'
    chosen = backbones.get(name)._replace(classes=6, size=size)
    monkeypatch.setitem(backbones.PRETRAINED, name, chosen)
    init = jax.jit(functools.partial(chosen.module(classes=6).init, train=False))
    variables = init(jax.random.key(0), np.zeros((1, size, size, 3)))
    flat = flatten_dict(variables, sep='/')
    weights.write(path, {key: np.asarray(leaf) for key, leaf in flat.items()})
    folder(tmp_path / 'val', 6)
    spec = f'folder:{tmp_path / "val"}'
    study = imagenet.build(imagenet.Config(name, str(path), spec))
    prepared = study.prepare(None)
    row = study.measure(prepared, study.trials[0])
    assert row['sha256'] == hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    image = np.stack([prepared.source[i]['image'] for i in range(6)])
    x = (image / 255 - np.array(chosen.mean)) / np.array(chosen.std)
    logits, _ = chosen.module(classes=6).apply(variables, x, train=False)
    rank = [list(np.argsort(-row)).index(i) for i, row in enumerate(np.asarray(logits))]
    assert (row['top1'], row['images']) == (np.mean(np.array(rank) < 1), 6)
    np.testing.assert_allclose(row['top5'], np.mean(np.array(rank) < 5), rtol=1e-6)


def test_a_folder_of_other_classes_is_named(tmp_path):
    folder(tmp_path, 2)
    with pytest.raises(ValueError, match='has 2 folders of classes.*has 1000 classes'):
        imagenet.photographs(f'folder:{tmp_path}', 32, 1000, None)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(data.MissingData, match='imagenet/val, the validation images'):
        imagenet.photographs('imagenet', 32, 1000, str(tmp_path))
    config = imagenet.Config(weights=str(tmp_path / 'none.safetensors'))
    with pytest.raises(ValueError, match='none.safetensors: no such file'):
        imagenet.build(config).prepare(str(tmp_path))
    with pytest.raises(ValueError, match="no domain 'mnist'; choose from imagenet"):
        imagenet.build(imagenet.Config(domain='mnist'))
    with pytest.raises(ValueError, match="no backbone 'alexnot'"):
        imagenet.build(imagenet.Config('alexnot'))
