"""Semantic autoencoder (Kodirov, Xiang and Gong, CVPR 2017)."""

from typing import NamedTuple

import jax.numpy as jnp

from transfer_jax.types import Array
from transfer_jax.zero_shot import checks
from transfer_jax.zero_shot.method import ZeroShot, unit_rows

TO = ('features', 'vectors')


class Sae(NamedTuple):
    """The encoder W; its transpose is the decoder."""

    encoder: Array  # (a, d)


def sae(lam: float | Array = 1.0, *, to: str = 'features') -> ZeroShot:
    """A linear encoder of features to vectors whose transpose decodes them.

    Minimises |X - W^T S|^2 + lambda |W X - S|^2 over W (a, d), with a column for each
    example. At the minimum S S^T W + lambda W X X^T = (1 + lambda) S X^T, a
    Sylvester equation: with S S^T = P diag(p) P^T and X X^T = Q diag(q) Q^T,
    W = P [(P^T C Q)_ij / (p_i + lambda q_j)] Q^T. The two eigendecompositions do not
    depend on lambda, so a `path` has them once. Where p_i and q_j are 0 up to rounding,
    W is 0.

    Scores are cosines, in one of two spaces: of x with the decoded vector
    W^T s, or of the encoded W x with s. The authors' program scales the encoded test
    set by its own statistics; this does not, as a prediction must not depend on the
    other test examples.

    Args:
      lam: lambda, weight of the encoder's error.
      to: where classes are compared, 'features' (semantic to feature space) or
        'vectors' (feature to semantic space).

    Raises:
      ValueError: a lambda that is not positive, or another space.
    """
    checks.positive('lambda', lam)
    checks.one_of('to', to, TO)

    def fit(key, x, label, vectors):
        del key
        count = jnp.zeros(len(vectors), x.dtype).at[label].add(1)
        sums = jnp.zeros((len(vectors), x.shape[1]), x.dtype).at[label].add(x)
        p, left = jnp.linalg.eigh(vectors.T @ (count[:, None] * vectors))
        q, right = jnp.linalg.eigh(x.T @ x)
        both = left.T @ (vectors.T @ sums) @ right
        p, q = jnp.maximum(p, 0)[:, None], jnp.maximum(q, 0)
        total = p + lam * q
        small = len(x) * jnp.finfo(x.dtype).eps * (p[-1] + lam * q[-1])
        inner = jnp.where(total > small, both / jnp.where(total > small, total, 1), 0)
        return Sae((1 + lam) * (left @ inner @ right.T))

    def scores(fitted, x, vectors):
        if to == 'features':
            return unit_rows(x) @ unit_rows(vectors @ fitted.encoder).T
        return unit_rows(x @ fitted.encoder.T) @ unit_rows(vectors).T

    return ZeroShot(fit, scores)
