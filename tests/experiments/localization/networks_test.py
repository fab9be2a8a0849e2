"""Backbones cut in a fixed and a trained part."""

import functools

import flax.traverse_util
import jax
import numpy as np
import pytest

from experiments.localization import networks, poolings, trunk
from transfer_jax import losses, models, training
from transfer_jax.recipes import backbones

RESNET = 'resnet20_cifar'


def images(n=4, side=32):
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), np.uint8)


def test_the_default_is_squeezenet_fixed_up_to_fire8():
    network = networks.of()
    assert network == ('squeezenet', 'fire8', 'fire9', False)
    assert network.layers[-2:] == ('fire8', 'fire9')
    assert network.fixed == network.layers[:-1]
    assert network.title == 'SqueezeNet'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('resnet7',), "no backbone 'resnet7'"),
        ((RESNET, 'block9'), "cut 'block9' of resnet20_cifar: choose from conv1"),
        ((RESNET, 'block3_3'), "cut 'block3_3'"),  # nothing would be trained
        ((RESNET, 'auto', 'fc7'), "no layer 'fc7' of resnet20_cifar"),
        ((RESNET, 'auto', 'average'), r'gives \(64,\), not a map'),
    ],
)
def test_unknown_names_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        networks.of(*arguments)


def test_auto_trains_the_last_layer_with_parameters():
    assert networks.of(RESNET).cut == 'block3_2'
    assert networks.of('alexnet').cut == 'conv4'  # pool5 has none
    assert networks.of('alexnet', last='fc7').cut == 'fc6'
    assert networks.of(RESNET, cut='').fixed == ()


def test_both_parts_are_the_whole_network():
    """Its maps do not depend on the cut, and features at the cut lead to them."""
    head = poolings.head('average', 2)
    kernel = np.linspace(-1, 1, 64 * 2, dtype=np.float32).reshape(1, 1, 64, 2)
    maps = {'maps': {'kernel': kernel, 'bias': np.zeros(2, np.float32)}}
    outputs = []
    for cut in ('', 'block2_1'):
        below = trunk.load(None, networks.of(RESNET, cut), random=True)
        params, model_state = below.layers(fixed=False)
        state = training.state.create(
            {'encoder': params, 'head': maps}, {'encoder': model_state, 'head': {}}, {}
        )
        outputs.append(trunk.predict(head, below, state, images())['maps'])
    assert np.ptp(outputs[0]) > 0.1
    np.testing.assert_allclose(outputs[1], outputs[0], atol=1e-5)
    features = trunk.features(below, images())
    assert features.dtype == np.float16
    upper = jax.jit(functools.partial(below.network.upper().apply, train=False))
    top = upper({'params': params, **model_state}, features.astype(np.float32))[0]
    np.testing.assert_allclose(top @ kernel[0, 0], outputs[0], rtol=1e-2, atol=0.1)


@pytest.mark.parametrize('own', [False, True])
def test_only_the_trained_part_moves_and_its_statistics_may_be_frozen(own):
    network = networks.of(RESNET, 'block3_2', '', own)
    below = trunk.load(None, network, random=True)
    head = poolings.head('average', 2)
    recipe = trunk.Recipe(losses.cross_entropy, 3, 4, 0.1, 'sgd', 1.0)
    items = trunk.items(below, images(), np.array([0, 1, 0, 1]))
    method = trunk.method(network, head, recipe)
    state = trunk.train(method, recipe, below, [items], 0)
    assert set(state.params['encoder']) == {'block3_3'}
    kernel = state.params['encoder']['block3_3']['conv1']['conv']['kernel']
    before = below.params['block3_3']['conv1']['conv']['kernel']
    assert np.abs(kernel - before).max() > 1e-4
    statistics, start = (
        flax.traverse_util.flatten_dict(x['batch_stats']['block3_3'])
        for x in (state.model_state['encoder'], below.model_state)
    )
    moved = max(np.abs(statistics[name] - start[name]).max() for name in start)
    assert (moved > 1e-3) == own
    assert trunk.predict(head, below, state, images())['logits'].shape == (4, 2)


def test_halved_scores_with_four_times_the_rate_are_the_same_training():
    """The pooling of WILDCAT's authors is half of ours; see schedule.Schedule."""
    network = networks.of('alexnet')
    below = trunk.load(None, network, random=True)
    items = trunk.items(
        below, images(side=96), np.array([[1, 0], [0, 1], [1, 1], [0, 0]])
    )
    ours = poolings.head('wildcat', 2)
    theirs = ours.clone(pool=functools.partial(_half, ours.pool), name=None)
    logits = []
    for head, rate, factor in ((ours, 0.0025, 0.4), (theirs, 0.01, 0.1)):
        recipe = trunk.Recipe(
            losses.multi_label_logistic, 6, 4, rate, 'sgd', factor, 0.0
        )
        method = trunk.method(network, head, recipe)
        state = trunk.train(method, recipe, below, [items], 0)
        logits.append(trunk.predict(head, below, state, images(side=96))['logits'])
    assert np.abs(logits[0]).max() > 1e-3
    np.testing.assert_allclose(logits[0], logits[1], rtol=1e-3, atol=1e-6)


def _half(pool, maps):
    return pool(maps) / 2


def test_dense_layers_become_convolutions(monkeypatch):
    """One position of an image of 224 pixels has the features of the dense network."""
    small = backbones.PRETRAINED['alexnet']._replace(
        module=functools.partial(models.AlexNet, hidden=8)
    )
    monkeypatch.setitem(backbones.PRETRAINED, 'small_alexnet', small)
    dense = small.module(classes=3)
    x = np.random.default_rng(0).normal(size=(1, 224, 224, 3)).astype(np.float32)
    init = jax.jit(functools.partial(dense.init, train=False))
    params = init(jax.random.key(0), x)['params']
    monkeypatch.setattr(backbones, 'load', lambda name, data_dir: (params, {}))
    network = networks.of('small_alexnet', 'fc6', 'fc7')
    found, _ = networks.variables(network, None)
    assert set(found) == {'conv1', 'conv2', 'conv3', 'conv4', 'conv5', 'fc6', 'fc7'}
    y = network.whole().apply({'params': found}, x, train=False)[0]
    taps = dense.apply({'params': params}, x, train=False)[1]
    assert y.shape == (1, 1, 1, 8)
    np.testing.assert_allclose(y[:, 0, 0], taps['fc7'], rtol=1e-4, atol=1e-6)


def test_a_larger_map_only_where_the_network_has_it():
    assert networks.of().whole(8).output_stride == 8
    assert networks.of().whole().output_stride == 16
    assert networks.of('resnet18').strides
    assert not networks.of('alexnet').strides
    networks.of('alexnet').whole(8)  # its own


def test_regions_are_a_number_or_a_share():
    maps = np.arange(20.0, dtype=np.float32).reshape(1, 4, 5, 1)
    head = poolings.head('weldon', 1, poolings.Regions(k=2.0))
    np.testing.assert_allclose(head.pool(maps), [[18.5 + 0.5]])
    head = poolings.head('wildcat', 1, poolings.Regions(k=0.1, alpha=0.5, maps=3))
    np.testing.assert_allclose(head.pool(maps), [[18.5 + 0.25]])
    assert head.per_class == 3
    with pytest.raises(ValueError, match=r'k 2.5: a whole number of positions'):
        poolings.head('weldon', 1, poolings.Regions(k=2.5))
