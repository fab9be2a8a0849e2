"""Conditional adversarial domain adaptation, CDAN and CDAN+E (Long et al. 2018)."""

import flax.linen as nn
import jax

from transfer_jax import losses, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.training import optim

MOST = 4096  # columns of the full product, above which the paper draws a random map


def cdan(
    encoder: nn.Module,
    classifier: nn.Module,
    discriminator: nn.Module,
    *,
    txs: optim.Optimisers,
    strength: optim.Schedule | float,
    by_entropy: bool = False,
    through_weights: bool = True,
    random_width: int | None = None,
) -> training.Method:
    """CDAN: the discriminator sees features and class predictions jointly.

    min over encoder f and classifier y, max over discriminator d, of
      mean_source CE(y(f(x)), label) - strength * (mean_source w BCE(d(T(x)), 0)
      + mean_target w BCE(d(T(x)), 1)),  T(x) = f(x) (x) softmax(y(f(x)))

    (eq. 3 and 7). Random maps replace the product if it has more than 4,096 columns
    (eq. 6). w = 1; in CDAN+E w = 1 + exp(-H), scaled to mean 1 in each domain (eq. 8).
    Trains 'encoder', 'classifier' and 'discriminator'; the random maps are in
    `state.extra`.

    As in the authors' code, the class predictions are constants in the discriminator's
    input, but not in w: with CDAN+E the reversed gradient also goes through
    1 + exp(-H) into classifier and encoder. It moves the weight towards examples whose
    domain the discriminator does not tell. The mean that scales w is a constant.

    Deviation: the entropy is exact; the authors' code adds 1e-5 inside the logarithm.

    Args:
      strength: lambda, the strength of the reversal, as a function of the step.
      by_entropy: train CDAN+E.
      through_weights: with CDAN+E, reverse the gradient of w as the authors' code does.
        False makes w a constant, as in some libraries. The loss has the same value.
      random_width: columns of the random map. None uses 1,024 where a map is needed;
        0 never uses one.
    """

    def maps(key, outputs):
        widths = outputs['features'].shape[-1], outputs['logits'].shape[-1]
        return {'maps': _maps(key, widths, random_width)}

    return two_domains.adversarial(
        encoder,
        classifier,
        two_domains.Head(discriminator, _joined),
        txs=txs,
        strength=strength,
        extra=maps,
        importance=losses.certainty if by_entropy else None,
        reverse_importance=through_weights,
    )


def _maps(key, widths, random_width):
    """Random matrices (R_f, R_g), or () for the full product."""
    if random_width is None:
        random_width = 1024 if widths[0] * widths[1] > MOST else 0
    if random_width == 0:
        return ()
    keys = jax.random.split(key)
    return tuple(
        jax.random.normal(map_key, (width, random_width))
        for map_key, width in zip(keys, widths, strict=True)
    )


def _joined(outputs, extra):
    features, p = outputs['features'], jax.nn.softmax(outputs['logits'])
    if extra['maps']:
        return losses.random_multilinear(features, p, maps=extra['maps'])
    return losses.multilinear(features, p)
