"""Domain separation networks (Bousmalis et al. 2016)."""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from transfer_jax import losses, ops, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.ops import collective
from transfer_jax.training import networks, optim


def dsn(
    encoder: nn.Module,
    classifier: nn.Module,
    private: nn.Module,
    decoder: nn.Module,
    discriminator: nn.Module | None = None,
    *,
    txs: Mapping[str, optax.GradientTransformation],
    weight: optim.Schedule,
    alpha: float = 0.01,
    beta: float = 0.075,
    gamma: float = 0.25,
    kernels: int = 5,
) -> training.Method:
    """DSN: what the domains share and what each has alone, in encoders of their own.

    min CE + weight * (alpha L_recon + beta L_difference + gamma L_similarity)  (eq. 1)

    With h_c = f(x) of the shared encoder and h_p of the private encoder of the image's
    domain, both flattened:
      L_recon = mean_source e(x, D(h_c + h_p)) + mean_target e(x, D(h_c + h_p)), e the
        error that ignores a constant offset (eq. 3 and 4), D the decoder;
      L_difference = sum over the domains of losses.difference(h_c, h_p)  (eq. 5);
      L_similarity: with a discriminator its loss on h_c through gradient reversal, without one
        the multi-kernel MMD of the two domains' h_c.
    Labels are read from h_c alone.

    Trains 'encoder', 'classifier', 'private_source', 'private_target', 'decoder', and
    'discriminator' if there is one. `weight` is on all that the paper adds; the authors' code
    has it near 0 for the first steps and 1 from then on. At 0 encoder and classifier
    move as in source only, and nothing else moves.

    Metric 'correlation' is the mean of |Pearson correlation| over all pairs of a shared
    and a private feature, and over the domains: what L_difference is to lower.

    Deviations: kernels of the MMD are around the median distance of the batch, as in
    methods.dan, where the paper lists fixed widths; the discriminator's own gradient is times
    weight * gamma, as it is in the authors' code, not at full rate as in methods.dann.

    Args:
      private: of both private encoders, each with its own parameters and statistics; as
        many features as the shared encoder.
      decoder: (n, d) -> images, such as models.DigitDecoder.
      discriminator: (n, d) -> (n,) logits; None for the MMD.
      weight: as a function of the step.
      kernels: odd number of Gaussians of the MMD.
    """
    heads = (
        {}
        if discriminator is None
        else {'discriminator': two_domains.on_features(discriminator)}
    )
    trains = ('encoder', 'classifier', 'private_source', 'private_target', 'decoder')

    def init(key, batch):
        first = two_domains.create(key, encoder, classifier, batch, {}, heads=heads)
        params, others = dict(first.params), dict(first.model_state)
        image = batch['source']['image']

        def add(name, module, x):
            (output, _), params[name], others[name] = networks.initialise_one(
                key, name, module, x
            )
            return output

        for domain in ('source', 'target'):
            code = add(f'private_{domain}', private, image)
        code = code.reshape(len(image), -1)
        shared = jax.eval_shape(
            lambda x: encoder.apply(
                {'params': params['encoder'], **others['encoder']}, x, train=False
            )[0],
            image,
        )
        if shared.size != code.size:
            raise ValueError(
                f'private features {code.shape} are added to shared ones '
                f'{shared.shape}: they must be as many'
            )
        answer = add('decoder', decoder, code)
        if answer.shape != image.shape:
            raise ValueError(
                f'the decoder gives images {answer.shape}, those read are {image.shape}'
            )
        return training.state.create(params, others, txs)

    def loss(state, batch, key):
        passed = two_domains.forward(encoder, classifier, state, batch, key)
        keys = jax.random.split(passed.key, 4)
        images, domain = networks.join(batch, ['source', 'target'])
        n = passed.label.shape[0]
        shared = two_domains.both(passed, 'features')
        alone, moved = [], {}
        for rows, name, own in (
            (slice(None, n), 'private_source', keys[0]),
            (slice(n, None), 'private_target', keys[1]),
        ):
            code, _, also = networks.run(
                private,
                state,
                name,
                images[rows],
                train=True,
                key=own,
                domain=domain[rows],
            )
            alone.append(ops.at_least_float32(code.reshape(code.shape[0], -1)))
            moved.update(also)

        again, _, also = networks.run(
            decoder,
            state,
            'decoder',
            shared + jnp.concatenate(alone),
            train=True,
            key=keys[2],
            domain=domain,
        )
        moved.update(also)
        error = losses.scale_invariant_error(
            ops.at_least_float32(images), ops.at_least_float32(again)
        )
        reconstruction = jnp.mean(error[:n]) + jnp.mean(error[n:])

        pairs = [
            (collective.gather(common), collective.gather(own))
            for common, own in zip((shared[:n], shared[n:]), alone, strict=True)
        ]
        difference = sum(losses.difference(common, own) for common, own in pairs)
        correlation = sum(
            jnp.mean(jnp.abs(ops.cross_correlation(common, own)))
            for common, own in pairs
        )
        similarity, metrics, also = similar(state, passed, shared, keys[3])
        moved.update(also)

        amount = weight(state.step)
        metrics = {
            **passed.metrics,
            **metrics,
            'reconstruction': reconstruction,
            'difference': difference,
            'similarity': similarity,
            'correlation': correlation / 2,
            'weight': amount,
        }
        added = alpha * reconstruction + beta * difference + gamma * similarity
        aux = training.Aux(metrics, model_state={**passed.model_state, **moved})
        return passed.label_loss + amount * added, aux

    def similar(state, passed, shared, key):
        """L_similarity, its metrics, and the collections that moved."""
        if discriminator is None:
            source, target = two_domains.gathered(passed, 'features')
            kernel = ops.multi_kernel(jnp.concatenate([source, target]), kernels)
            return losses.mmd_biased(source, target, kernel=kernel), {}, {}
        n = passed.label.shape[0]
        guess, _, moved = networks.run(
            discriminator,
            state,
            'discriminator',
            ops.reverse_gradient(shared, 1.0),
            train=True,
            key=key,
        )
        domain_loss, right = two_domains.domain_loss(guess[:n], guess[n:])
        return domain_loss, {'domain_accuracy': right}, moved

    phase = training.Phase('train', loss, (*trains, *heads))
    return training.Method(
        init,
        training.make_step([phase], txs),
        networks.classify(encoder, classifier),
    )
