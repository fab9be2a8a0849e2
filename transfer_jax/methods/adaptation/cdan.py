"""Conditional adversarial domain adaptation, CDAN and CDAN+E (Long et al. 2018)."""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from transfer_jax import losses, ops, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.ops import collective
from transfer_jax.training import networks, optim

MOST = 4096  # columns of the full product, above which the paper draws a random map


def cdan(
    encoder: nn.Module,
    classifier: nn.Module,
    critic: nn.Module,
    *,
    txs: Mapping[str, optax.GradientTransformation],
    strength: optim.Schedule,
    by_entropy: bool = False,
    random_width: int | None = None,
) -> training.Method:
    """CDAN: a critic that sees features and class predictions together.

    min over encoder f and classifier y, max over critic d, of
      mean_source CE(y(f(x)), label) - strength * (mean_source w BCE(d(T(x)), 0)
      + mean_target w BCE(d(T(x)), 1)),  T(x) = f(x) (x) softmax(y(f(x)))

    (eq. 3 and 7), the product replaced by random maps where it has more than 4,096
    columns (eq. 6). w = 1; in CDAN+E it is 1 + exp(-H), of mean 1 in each domain
    (eq. 8). Trains 'encoder', 'classifier' and 'critic'; the random maps are in
    `state.extra`.

    Deviation: as in the authors' code, the class predictions are constants in the
    critic's input, so the reversed gradient reaches the encoder alone.

    Args:
      strength: lambda, of the reversal, as a function of the step.
      by_entropy: CDAN+E.
      random_width: columns of the random map; by default 1,024 where it is needed. 0
        is never.
    """

    def init(key, batch):
        state = two_domains.create(key, encoder, classifier, batch, {})
        sizes = jax.eval_shape(
            lambda: networks.classify(encoder, classifier)(
                state, {'source': {'image': batch['source']['image'][:1]}}
            )['source']
        )
        widths = sizes['features'].shape[-1], sizes['logits'].shape[-1]
        maps = _maps(jax.random.fold_in(key, 1), widths, random_width)

        def inputs(answers):
            return _joined(answers['features'], answers['logits'], maps)

        heads = {'critic': two_domains.Head(critic, inputs)}
        return two_domains.create(
            key, encoder, classifier, batch, txs, heads, extra={'maps': maps}
        )

    def loss(state, batch, key):
        passed = two_domains.forward(encoder, classifier, state, batch, key)
        amount = strength(state.step)
        features = ops.reverse_gradient(two_domains.both(passed, 'features'), amount)
        logits = jax.lax.stop_gradient(two_domains.both(passed, 'logits'))
        guess, _, moved = networks.run(
            critic,
            state,
            'critic',
            _joined(features, logits, state.extra['maps']),
            train=True,
            key=passed.key,
        )
        n = passed.label.shape[0]
        domain_loss, right = two_domains.domain_loss(guess[:n], guess[n:])
        if by_entropy:
            p = jax.nn.softmax(logits)
            domain_loss = jnp.mean(
                _certainty(p[:n]) * losses.binary_cross_entropy(guess[:n], 0.0)
            ) + jnp.mean(
                _certainty(p[n:]) * losses.binary_cross_entropy(guess[n:], 1.0)
            )
        metrics = {
            **passed.metrics,
            'domain_loss': domain_loss,
            'domain_accuracy': right,
            'strength': amount,
        }
        aux = training.Aux(metrics, model_state={**passed.model_state, **moved})
        return passed.label_loss + domain_loss, aux

    phase = training.Phase('train', loss, ('encoder', 'classifier', 'critic'))
    return training.Method(
        init,
        training.make_step([phase], txs),
        networks.classify(encoder, classifier),
    )


def _maps(key, widths, random_width):
    """Random matrices (R_f, R_g), or () for the full product."""
    if random_width is None:
        random_width = 1024 if widths[0] * widths[1] > MOST else 0
    if random_width == 0:
        return ()
    keys = jax.random.split(key)
    return tuple(
        jax.random.normal(own, (width, random_width))
        for own, width in zip(keys, widths, strict=True)
    )


def _joined(features, logits, maps):
    p = jax.nn.softmax(logits)
    if maps:
        return losses.random_multilinear(features, p, maps=maps)
    return losses.multilinear(features, p)


def _certainty(p):
    """Weights of mean 1 over the rows of all devices."""
    weight = losses.certainty(p)
    return weight / collective.mean(jnp.mean(weight))
