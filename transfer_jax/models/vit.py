"""Vision transformers: ViT-S/16 and ViT-B/16 of timm, DeiT, DINO, MAE and CLIP."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from transfer_jax.models import layers
from transfer_jax.types import Array


class ViT(nn.Module):
    """The vision transformer (Dosovitskiy et al., ICLR 2021, arXiv:2010.11929).

    Layers: patches, block1 ... block12, norm, class_token, logits; with `embedding`
    also 'projection' below the logits. With pool='mean' they are patches, block1 ...
    block12, average, norm, logits. ViT-B/16 (the defaults) has 86,567,656 parameters,
    ViT-S/16 (width=384, heads=6) 22,050,664.

    The activation of 'patches', of each block and of 'norm' (before an average) is a
    map (n, h, w, 2 width). Its first half holds the patch tokens at their positions,
    its second half the class token, the same at every position. So every layer above
    can start from it, layers that read maps find the patches where they are, and its
    average is the mean patch token next to the class token, which DINO's linear probes
    read. `x[..., :width]` are the patch tokens alone. 'class_token' is the vector
    (n, width).

    Images may have any size; rows and columns that fill no patch are not read. For a
    grid of patches other than `grid`, the position embeddings are resized as timm does:
    bicubic, with antialiasing, that of the class token apart.

    There is no attribute `norm`: layer norms do not depend on the batch, so no norm
    policy of domains applies. Stochastic depth and dropout inside blocks are left out.
    See models/__init__.py for the common attributes.

    Attributes:
      patch: side of a patch in pixels.
      width: d, the length of a token.
      depth: number of blocks.
      heads: of the attention. The ViT-S/16 of MoCo v3 has 12.
      grid: side of the grid of patches whose positions have parameters.
      pool: what is classified: 'class', the normalised class token; 'mean', the
        normalised mean of the patch tokens.
      epsilon: of the layer norms: 1e-6 in timm, 1e-5 in CLIP.
      activation: in the blocks; layers.quick_gelu in OpenAI's CLIP.
      pre_norm: normalise the tokens before the first block, and give the convolution of
        the patches no bias, as CLIP does.
      layer_scale: initial value of a scale of each residual; None: there is none.
      embedding: width of a linear projection of the pooled token without bias, such as
        CLIP's into the space that it shares with texts; 0 for none.
    """

    classes: int = 1000
    start_after: str = ''
    end_at: str = ''
    dropout: float = 0.0
    dtype: jnp.dtype = jnp.float32
    patch: int = 16
    width: int = 768
    depth: int = 12
    heads: int = 12
    grid: int = 14
    pool: str = 'class'
    epsilon: float = 1e-6
    activation: layers.Activation = layers.gelu
    pre_norm: bool = False
    layer_scale: float | None = None
    embedding: int = 0

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        if self.pool not in ('class', 'mean'):
            raise ValueError(f'pool={self.pool!r} is not class or mean')
        if self.width % self.heads:
            raise ValueError(f'width={self.width} is no multiple of heads={self.heads}')
        patches = Patches(
            self.patch,
            self.width,
            self.grid,
            self.epsilon if self.pre_norm else None,
            self.dtype,
            name='patches',
        )
        steps = [('patches', patches)]
        for i in range(1, self.depth + 1):
            name = f'block{i}'
            block = Block(
                self.heads,
                self.epsilon,
                self.activation,
                self.layer_scale,
                self.dtype,
                name=name,
            )
            steps.append((name, block))

        def norm(x):
            tokens = x.reshape(*x.shape[:-1], -1, self.width)
            return layers.LayerNorm(self.epsilon, name='norm')(tokens).reshape(x.shape)

        def projection(x):
            dense = nn.Dense(
                self.embedding,
                use_bias=False,
                dtype=self.dtype,
                kernel_init=_INIT,
                name='projection',
            )
            return dense(x)

        def logits(x):
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
            return nn.Dense(self.classes, dtype=self.dtype, name='logits')(x)

        if self.pool == 'class':
            steps += [('norm', norm), ('class_token', lambda x: _halves(x)[1])]
        else:
            steps += [('average', _mean_patch), ('norm', norm)]
        steps += [('projection', projection)] if self.embedding else []
        steps += [('logits', logits)] if self.classes else []
        return layers.run(
            steps, x, self.start_after, self.end_at, train=train, domain=domain
        )


class Patches(nn.Module):
    """Tokens of the patches and of the class, with their positions, as a map."""

    patch: int
    width: int
    grid: int
    pre_norm: float | None  # epsilon of a norm of the tokens
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array, *, train: bool, domain: Array | None = None) -> Array:
        if min(x.shape[1:3]) < self.patch:
            raise ValueError(
                f'images of {x.shape[1]}x{x.shape[2]} are smaller than a patch of '
                f'{self.patch}x{self.patch}'
            )
        x = layers.Conv(
            self.width,
            self.patch,
            self.patch,
            use_bias=self.pre_norm is None,
            dtype=self.dtype,
            kernel_init=_INIT,
            name='conv',
        )(x)
        n, h, w, d = x.shape
        token = self.param('class_token', _INIT, (d,))
        positions = self.param('positions', _INIT, (1 + self.grid**2, d))
        first = jnp.broadcast_to(token + positions[0], (n, d)).astype(x.dtype)
        positions = positions[1:].reshape(self.grid, self.grid, d)
        if (h, w) != (self.grid, self.grid):
            positions = jax.image.resize(positions, (h, w, d), 'bicubic')
        x = x + positions.astype(x.dtype)
        if self.pre_norm is not None:
            norm = layers.LayerNorm(self.pre_norm, name='norm')
            x, first = norm(x), norm(first)
        return _map(x, first)


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)), on a map with a class token."""

    heads: int
    epsilon: float
    activation: layers.Activation
    layer_scale: float | None
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array, *, train: bool, domain: Array | None = None) -> Array:
        patches, token = _halves(x)
        n, h, w, d = patches.shape
        x = jnp.concatenate([token[:, None], patches.reshape(n, h * w, d)], 1)
        y = layers.LayerNorm(self.epsilon, name='attention_norm')(x)
        x = x + self._scaled(self._attention(y), 'attention_scale')
        y = layers.LayerNorm(self.epsilon, name='mlp_norm')(x)
        y = self.activation(self._dense(4 * d, 'mlp_1')(y))
        x = x + self._scaled(self._dense(d, 'mlp_2')(y), 'mlp_scale')
        return _map(x[:, 1:].reshape(n, h, w, d), x[:, 0])

    def _attention(self, x: Array) -> Array:
        n, t, d = x.shape
        qkv = self._dense(3 * d, 'qkv')(x)
        q, k, v = jnp.moveaxis(qkv.reshape(n, t, 3, self.heads, -1), 2, 0)
        y = jax.nn.dot_product_attention(q, k, v)
        return self._dense(d, 'attention')(y.reshape(n, t, d))

    def _dense(self, features: int, name: str) -> nn.Dense:
        return nn.Dense(features, dtype=self.dtype, kernel_init=_INIT, name=name)

    def _scaled(self, x: Array, name: str) -> Array:
        if self.layer_scale is None:
            return x
        start = nn.initializers.constant(self.layer_scale)
        return x * self.param(name, start, x.shape[-1:]).astype(x.dtype)


def _map(patches: Array, token: Array) -> Array:
    """(n, h, w, d) and (n, d) -> (n, h, w, 2 d)."""
    everywhere = jnp.broadcast_to(token[:, None, None], patches.shape)
    return jnp.concatenate([patches, everywhere], -1)


def _halves(x: Array) -> tuple[Array, Array]:
    """The inverse of `_map`: patch tokens (n, h, w, d), class token (n, d)."""
    patches, token = jnp.split(x, 2, -1)
    return patches, token[:, 0, 0]


def _mean_patch(x: Array) -> Array:
    return layers.average(_halves(x)[0])


_INIT = nn.initializers.truncated_normal(0.02)
