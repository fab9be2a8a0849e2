"""Every pretrained network as an encoder: built, cut at each layer, asked for norms."""

import jax
import jax.numpy as jnp
import pytest

from transfer_jax.recipes import backbones, encoders

WITHOUT_NORM = {'squeezenet', 'mobilenet_v2', 'alexnet', 'zfnet', 'vgg16', 'vgg19'}
WITHOUT_NORM |= {'convnext_tiny', 'vit_small', 'vit_base', 'vit_small_dino'}
WITHOUT_NORM |= {'vit_base_clip'}
NEW = ('resnet101', 'zfnet', 'efficientnet_b0', 'convnext_tiny', 'vit_small')
NEW += ('vit_base', 'vit_small_dino', 'vit_base_clip')


def _shape(module, side):
    image = jax.ShapeDtypeStruct((2, side, side, 3), jnp.float32)
    answer, _ = jax.eval_shape(
        lambda x: module.init_with_output(jax.random.key(0), x, train=False), image
    )
    return answer[0].shape


@pytest.mark.parametrize('name', NEW)
def test_the_layers_with_parameters_are_cuts(name):
    side = encoders.size(name)
    assert side == 224
    layers = encoders.layers(name)
    every = backbones.get(name).layers
    assert [layer for layer in every if layer in layers] == list(layers)
    params = backbones.variable_shapes(encoders.build(name), side)['params']
    assert set(params) == set(layers)
    assert encoders.has_norm(name) == (name not in WITHOUT_NORM)

    row = backbones.get(name)
    n, h, w, c = _shape(row.module(classes=0, end_at=row.last_map), side)
    above = every[every.index(row.last_map) + 1 :]
    after = row.module(classes=0, start_after=row.last_map)
    x = jax.ShapeDtypeStruct((n, h, w, c), jnp.float32)
    answer, _ = jax.eval_shape(
        lambda x: after.init_with_output(jax.random.key(0), x, train=False), x
    )
    assert answer[0].ndim == 2
    assert all(answer[1][layer].ndim == 2 for layer in above if layer in answer[1])


def test_last_maps_and_features():
    maps = {
        'resnet101': ((7, 7, 2048), 2048),
        'zfnet': ((6, 6, 256), 4096),
        'efficientnet_b0': ((7, 7, 1280), 1280),
        'convnext_tiny': ((7, 7, 768), 768),
        'vit_small_dino': ((14, 14, 2 * 384), 384),
        'vit_base_clip': ((14, 14, 2 * 768), 512),
    }
    for name, (last_map, width) in maps.items():
        row = backbones.get(name)
        assert _shape(row.module(classes=0, end_at=row.last_map), 224)[1:] == last_map
        assert _shape(encoders.build(name), 224)[1:] == (width,)


@pytest.mark.parametrize('name', ['convnext_tiny', 'vit_base_clip'])
def test_a_policy_of_batch_norm_is_refused_where_norms_are_of_layers(name):
    with pytest.raises(ValueError, match='has no norm layers'):
        encoders.build(name, 'dsbn')
    assert encoders.build(name, 'none') == encoders.build(name)


def test_every_row_says_where_its_file_is_published():
    files = [row.file for row in backbones.PRETRAINED.values()]
    assert len(set(files)) == len(files)
    assert all(row.origin for row in backbones.PRETRAINED.values())
