"""Maps of class scores, and the pooling that makes an image's scores of them."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.models import layers
from transfer_jax.types import Array


class ScoreMaps(nn.Module):
    """A 1x1 convolution to maps, their mean for each class, and a pooling over places.

    Called with a feature map (n, h, w, d); returns (scores (n, classes), {'maps': (n,
    h, w, classes)}). With global average pooling the maps are the class activation maps
    of Zhou et al. (CVPR 2016); with k-max and k-min pooling and some maps a class, this
    is the head of WILDCAT (Durand et al., CVPR 2017). Since the mean over its maps is
    taken before anything that is not linear, the maps of a class differ in where they
    begin and share every gradient.

    The maps begin as 0, and poolings share their gradient among equal places: so every
    pooling begins as the average and chooses places as it learns. From random maps the
    maximum would first learn at random places.

    Attributes:
      pool: (n, h, w, c) -> (n, c), of ops; with `sharpness`, (maps, (c,)) -> (n, c).
      per_class: maps of each class, M.
      sharpness: where a learned positive number of each class begins, which `pool` gets
        as its second argument (ops.soft_pool, of SPLeaP); None: there is none.
      dropout: on the feature map, in training.
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
        made = layers.Conv(
            self.classes * self.per_class,
            1,
            dtype=self.dtype,
            kernel_init=nn.initializers.zeros,
            name='maps',
        )(x)
        maps = ops.class_wise(made.astype(jnp.float32), self.per_class)
        if self.sharpness is None:
            return self.pool(maps), {'maps': maps}
        start = nn.initializers.constant(jnp.log(jnp.expm1(self.sharpness)))
        sharpness = nn.softplus(self.param('sharpness', start, (self.classes,)))
        return self.pool(maps, sharpness), {'maps': maps}
