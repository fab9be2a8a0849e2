"""Backbones answer as their PyTorch references, filled by the maps of names.

`python -m tools.golden` wrote the files beside this test; PyTorch is not needed here.
Weights and images are drawn (drawn.py), so a wrong layout, padding, epsilon or order of
layers shows in the logits, and the taps tell where it begins.
"""

import functools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.models import drawn
from transfer_jax import models
from transfer_jax.models import weights

FOLDER = pathlib.Path(__file__).parent / 'golden'
TOLERANCE = 1e-4  # of the logits' spread, and of each norm

# architecture: (module, names, {layer of the reference: ours})
NETWORKS = {
    'squeezenet': (
        models.SqueezeNet,
        'squeezenet',
        {
            'features.1': 'conv1',
            'features.4': 'fire3',
            'features.7': 'fire5',
            'features.10': 'fire7',
            'features.12': 'fire9',
        },
    ),
    'mobilenet_v1': (
        functools.partial(models.MobileNetV1, width=0.75),
        'mobilenet_v1',
        {
            'conv1_relu': 'conv1',
            **{f'conv_pw_{i}_relu': f'block{i}' for i in (1, 3, 5, 11, 13)},
        },
    ),
    'mobilenet_v2': (
        functools.partial(models.MobileNetV2, same=False),
        'mobilenet_v2',
        {
            'features.0': 'conv1',
            **{f'features.{i}': f'block{i}' for i in (1, 3, 7, 14)},
            'features.18': 'conv2',
        },
    ),
}
NETWORKS['mobilenet_v2_same'] = (models.MobileNetV2, *NETWORKS['mobilenet_v2'][1:])


def _golden(name):
    return json.loads((FOLDER / f'{name}.json').read_text())


def test_every_reference_has_its_network():
    assert {file.stem for file in FOLDER.glob('*.json')} == set(NETWORKS)


@pytest.mark.parametrize('name', NETWORKS)
def test_the_network_answers_as_its_reference(name):
    build, mapping, layers = NETWORKS[name]
    golden, module = _golden(name), build()
    named = drawn.tensors(golden['seed'], golden['tensors'], golden['gain'])

    @jax.jit
    def forward(variables, x):
        logits, taps = module.apply(variables, x, train=False)
        return logits, {
            theirs: jnp.linalg.norm(taps[ours]) for theirs, ours in layers.items()
        }

    variables = None
    for case in golden['cases']:
        images = drawn.images(golden['seed'], case['images'])
        if variables is None:
            init = functools.partial(module.init, train=False)
            shapes = jax.eval_shape(init, jax.random.key(0), images)
            params, rest = weights.convert(named, shapes, weights.MAPPINGS[mapping])
            variables = {'params': params, **rest}
        logits, norms = jax.device_get(forward(variables, images))
        assert set(norms) == set(case['norms'])
        for layer, norm in case['norms'].items():  # the first that differs
            np.testing.assert_allclose(
                norms[layer], norm, rtol=TOLERANCE, err_msg=layer
            )
        expected = np.array(case['logits'])
        np.testing.assert_allclose(
            logits[:, :: case['every']],
            expected,
            rtol=0,
            atol=TOLERANCE * expected.std(),
        )
        np.testing.assert_allclose(np.linalg.norm(logits), case['norm'], rtol=TOLERANCE)
