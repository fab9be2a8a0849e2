"""How long a run will take, from one timed pass of the network on this machine."""

import time

import jax
import jax.numpy as jnp

from transfer_jax import selection
from transfer_jax.adapt.experiment import Config
from transfer_jax.adapt.plan import Counts
from transfer_jax.recipes import encoders

BACKWARD = 3.0  # a training step over a forward pass of its images
PASSES = 3  # over the images of a validator: both domains, and mixed images


def seconds(config: Config, counts: Counts) -> float:
    """Of one run of all seeds, without compilation and report; within a factor of two.

    Times a forward pass of the encoder on a batch of both domains.
    """
    module = encoders.build(config.backbone, config.norm)
    both = 2 * config.batch
    image = jnp.zeros((both, config.size, config.size, 3))
    domain = jnp.zeros(both, jnp.int32)

    @jax.jit
    def forward(variables, image):
        return module.apply(variables, image, train=False, domain=domain)[0]

    variables = module.init(
        jax.random.key(0), image[:2], train=False, domain=domain[:2]
    )
    jax.block_until_ready(forward(variables, image))
    began = time.perf_counter()
    jax.block_until_ready(forward(variables, image))
    each = (time.perf_counter() - began) / both
    training = BACKWARD * both * config.steps
    held_out = min(counts.target, selection.MAX_IMAGES) + 0.2 * counts.source
    evaluation = PASSES * held_out * config.evaluations
    return config.seeds * each * (training + evaluation)


def text(value: float) -> str:
    """'40 s', '3 min' or '2 h'."""
    if value < 90:
        return f'{max(10, round(value, -1)):.0f} s'
    if value < 5400:
        return f'{value / 60:.0f} min'
    return f'{value / 3600:.1f} h'
