"""The model folder of a shallow method: the frozen network and one linear classifier.

Standardisation, a linear map of target features and logistic regression are together
one linear function of the network's features: logits = x W + b. It is read off the
fitted parts at the origin and at the unit vectors.
"""

import dataclasses
import pathlib
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import runs
from transfer_jax.adapt import experiment
from transfer_jax.adapt.photographs import Photographs
from transfer_jax.recipes import encoders
from transfer_jax.types import Array

TOLERANCE = 1e-3  # of the probabilities, from the fitted parts to float32


def read_off(
    logits: Callable[[np.ndarray], np.ndarray], mean: np.ndarray, std: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(W (d, c), b (c,)) with x W + b = logits((x - mean) / std), if that is affine.

    `write` checks that it is.

    Args:
      logits: (n, d) -> (n, c).
      mean, std: (d,).
    """
    bias = logits(np.zeros((1, len(mean))))[0]
    kernel = (logits(np.eye(len(mean))) - bias) / std[:, None]
    return kernel, bias - mean @ kernel


def write(
    run_dir: pathlib.Path,
    name: str,
    photographs: Photographs,
    backbone: str,
    head: tuple[np.ndarray, np.ndarray],
    expected: tuple[Array, np.ndarray],
) -> bool:
    """Writes run_dir/models/seed_S/last; False if the method is no linear classifier.

    Args:
      name: of the method.
      head: (W, b) on the features of the frozen network.
      expected: (n, d) features and (n, c) probabilities that the model must give.

    Raises:
      FolderError: the folder cannot be written.
    """
    kernel, bias = head
    features, probabilities = expected
    made = jax.nn.softmax(jnp.asarray(features @ kernel + bias))
    if float(jnp.abs(made - probabilities).max()) > TOLERANCE:
        return False
    side = photographs.source.image.shape[1]
    config = experiment.Config(
        method='source_only',
        backbone=backbone,
        size=side,
        norm='joint' if encoders.has_norm(backbone) else 'none',
        steps=1,
        batch=1,
        encoder_rate=1.0,
        classes=len(photographs.classes),
    )
    built = experiment.build(config, lambda seed: photographs)
    method = built.stages[-1].method
    image = jnp.zeros((1, side, side, 3))
    batch = {'source': {'image': image, 'label': jnp.zeros(1, jnp.int32)}}
    if config.norm != 'none':
        batch['target'] = {'image': image}
    state = method.init(jax.random.key(0), batch)
    encoder = photographs.encoder
    logits = {'kernel': jnp.float32(kernel), 'bias': jnp.float32(bias)}
    state = dataclasses.replace(
        state,
        params={'encoder': encoder.params, 'classifier': {'logits': logits}},
        model_state={
            **state.model_state,
            'encoder': jax.tree.map(lambda x: x[:1], encoder.model_state),
        },
    )
    about = runs.model_folder.about(built, photographs.seed, photographs)
    task = f'{name} on frozen features of {backbone}'
    about |= {'method': name, 'task': task}
    path = runs.model_folder.rule_dir(run_dir, photographs.seed, 'last')
    picked = runs.model_folder.Picked('last', 0, method, state)
    runs.model_folder.write(path, about, picked)
    return True
