"""Class score maps and their pooling to the scores of an image."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.models import layers
from transfer_jax.types import Array


class ScoreMaps(nn.Module):
    """A 1x1 convolution to maps, their mean for each class, and a spatial pooling.

    Called with a feature map (n, h, w, d); returns (scores (n, classes), {'maps': (n,
    h, w, classes)}). With global average pooling the maps are the class activation maps
    of Zhou et al. (CVPR 2016). With k-max and k-min pooling and several maps per class,
    this is the head of WILDCAT (Durand et al., CVPR 2017).

    The maps start at 0, and poolings share their gradient among equal positions. Every
    pooling therefore starts as the average and learns to select positions. With random
    initial maps, the maximum would first learn at random positions.

    The mean over the maps of a class precedes every nonlinearity, so these maps have
    equal gradients and, from equal starts, stay identical: M maps compute what one map
    computes whose gradient is M times smaller. Adam makes the same steps for any M, SGD
    steps M times smaller. Deviation: the maps of the authors' code start at random, but
    as their gradients are equal too, their mean is one linear map there as well.

    Attributes:
      pool: (n, h, w, c) -> (n, c), from ops; with `sharpness`, (maps, (c,)) -> (n, c).
      per_class: M, the number of maps per class; they stay identical, see above.
      sharpness: initial value of a learned positive number per class, which is the
        second argument of `pool` (ops.soft_pool, of SPLeaP). None: no such number.
      dropout: rate on the feature map, in training.
    """

    classes: int
    pool: Callable[..., Array] = ops.global_average
    per_class: int = 1
    sharpness: float | None = None
    dropout: float = 0.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        if x.ndim != 4:
            raise ValueError(
                f'ScoreMaps reads maps (n, h, w, d), not {x.shape}: cut the network '
                'before its average pool, by `end_at`'
            )
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        conv = layers.Conv(
            self.classes * self.per_class,
            1,
            dtype=self.dtype,
            kernel_init=nn.initializers.zeros,
            name='maps',
        )
        maps = ops.class_wise(conv(x).astype(jnp.float32), self.per_class)
        if self.sharpness is None:
            return self.pool(maps), {'maps': maps}
        start = nn.initializers.constant(jnp.log(jnp.expm1(self.sharpness)))
        sharpness = nn.softplus(self.param('sharpness', start, (self.classes,)))
        return self.pool(maps, sharpness), {'maps': maps}
