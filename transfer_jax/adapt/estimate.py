"""How long a run will take, from two timed passes of the network on this machine."""

import time

import jax
import jax.numpy as jnp

from transfer_jax import selection
from transfer_jax.adapt.experiment import Config
from transfer_jax.adapt.photographs import HELD_OUT
from transfer_jax.adapt.plan import Counts
from transfer_jax.recipes import encoders

PIXELS = 64 * 96**2  # of the images that are timed; more take as much longer
PASSES = 3  # over the images of a validator: both domains, and mixed images


def seconds(config: Config, counts: Counts) -> float:
    """A rough number for one run of all seeds, without compilation and report.

    Times a gradient of the encoder on a batch of both domains, as a training step has
    it, and a forward pass, as evaluations have it.
    """
    module = encoders.build(config.backbone, config.norm)
    both = 2 * config.batch
    timed = max(2, min(both, PIXELS // config.size**2))
    image = jnp.zeros((timed, config.size, config.size, 3))
    domain = jnp.arange(timed) // ((timed + 1) // 2)

    def features(params, state, train):
        variables = {'params': params, **state}
        call = {'train': train, 'domain': domain, 'rngs': {'dropout': key}}
        (out, _), _ = module.apply(variables, image, mutable=['batch_stats'], **call)
        return out

    key = jax.random.key(0)
    state = dict(module.init(key, image[:2], train=False, domain=domain[:2]))
    params = state.pop('params')
    total = jax.jit(jax.grad(lambda p, s: features(p, s, True).sum()))
    forward = jax.jit(lambda p, s: features(p, s, False))
    share = both / timed
    step, evaluated = (share * _timed(f, params, state) for f in (total, forward))
    held_out = min(counts.target, selection.MAX_IMAGES) + HELD_OUT * counts.source
    passes = PASSES * held_out / both * config.evaluations
    return config.seeds * (step * config.steps + evaluated * passes)


def text(value: float) -> str:
    """'40 s', '3 min' or '2 h'."""
    if value < 90:
        return f'{max(10, round(value, -1)):.0f} s'
    if value < 5400:
        return f'{value / 60:.0f} min'
    return f'{value / 3600:.1f} h'


def _timed(function, *arguments) -> float:
    """Seconds of a call of a compiled function."""
    jax.block_until_ready(function(*arguments))
    began = time.perf_counter()
    jax.block_until_ready(function(*arguments))
    return time.perf_counter() - began
