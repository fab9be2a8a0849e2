"""A user's own Flax module as the encoder of DomainAdapter."""

import inspect
from collections.abc import Mapping, Sequence

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax.types import Array, PyTree

# (module, its variables {'params': ..., ...}, (mean, std) of the channels)
OwnBackbone = tuple[nn.Module, PyTree, tuple[Sequence[float], Sequence[float]]]
OURS = ('train', 'domain')  # what the encoders of transfer_jax.models are called with


class Wrapped(nn.Module):
    """A module that maps images (n, h, w, 3) to features, as an encoder.

    Attributes:
      inner: called as inner(x), or as inner(x, train=train) if it takes `train`.
    """

    inner: nn.Module

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        """(features (n, d), {})."""
        del domain
        options = {'train': train} if 'train' in _arguments(self.inner) else {}
        features = self.inner(x, **options)
        if not hasattr(features, 'shape'):
            raise ValueError(
                f'backbone: {type(self.inner).__name__} returns a '
                f'{type(features).__name__}; it must return features (n, d)'
            )
        return jnp.reshape(features, (len(x), -1)), {}


def checked(backbone: OwnBackbone) -> OwnBackbone:
    """The backbone as an encoder of transfer_jax.models, with its variables.

    A module that is called with `train` and `domain` is one, and returns (features,
    {name: intermediate}). Another is wrapped: it returns features alone.

    Raises:
      ValueError: not (module, variables, (mean, std)).
    """
    form = "backbone: give a name, or (module, {'params': ..., ...}, (mean, std))"
    if not isinstance(backbone, tuple | list) or len(backbone) != 3:
        raise ValueError(form)
    module, variables, scale = backbone
    if not isinstance(module, nn.Module) or not isinstance(variables, Mapping):
        raise ValueError(form)
    if 'params' not in variables:
        raise ValueError(f'{form}; the variables have {", ".join(variables)}')
    if len(scale) != 2:
        raise ValueError(form)
    if set(OURS) <= set(_arguments(module)):
        return module, variables, scale
    inner = {name: {'inner': tree} for name, tree in variables.items()}
    return Wrapped(module), inner, scale


def _arguments(module: nn.Module) -> Sequence[str]:
    return tuple(inspect.signature(type(module).__call__).parameters)
