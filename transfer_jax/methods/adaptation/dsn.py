"""Domain separation networks (Bousmalis et al. 2016)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

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
    txs: optim.Optimisers,
    weight: optim.Schedule | float,
    alpha: float = 0.01,
    beta: float = 0.075,
    gamma: float = 0.25,
    kernels: int = 5,
) -> training.Method:
    """DSN: one encoder for shared features, one per domain for private features.

    min CE + weight * (alpha L_recon + beta L_difference + gamma L_similarity)  (eq. 1)

    With h_c = f(x) of the shared encoder and h_p of the private encoder of the image's
    domain, both flattened:
      L_recon = mean_source e(x, D(h_c + h_p)) + mean_target e(x, D(h_c + h_p)), where e
        is the error that ignores a constant offset (eq. 3 and 4) and D the decoder;
      L_difference = sum over the domains of losses.difference(h_c, h_p)  (eq. 5);
      L_similarity is the discriminator's loss on h_c through gradient reversal, or,
        without a discriminator, the multi-kernel MMD of the two domains' h_c.
    The classifier sees h_c only.

    Trains 'encoder', 'classifier', 'private_source', 'private_target', 'decoder' and,
    if there is one, 'discriminator'. `weight` multiplies every term that the paper adds
    to CE. In the authors' code it is near 0 for the first steps and 1 afterwards. At 0,
    encoder and classifier train as in source only, and nothing else changes.

    Metric 'correlation' is the mean of |Pearson correlation| over all pairs of a shared
    and a private feature and over the domains. L_difference should lower it.

    Deviations: the discriminator's loss is the sum of the two domains' means. The
    authors' code has the mean over both, so that gamma is half as strong there. The
    defaults of alpha, beta and gamma are those of a public port (fungtion/DSN), whose
    loss is this sum. The kernels of the MMD are around the median distance of the
    batch, as in methods.dan; the paper lists fixed widths. The discriminator's own
    gradient is multiplied by weight * gamma, as in the authors' code; in methods.dann
    it is not scaled.

    Args:
      private: module of both private encoders, each with its own parameters and
        statistics. It must give as many features as the shared encoder.
      decoder: (n, d) -> images, such as models.DigitDecoder.
      discriminator: (n, d) -> (n,) logits; None to use the MMD.
      weight: weight of the added terms, as a function of the step.
      kernels: odd number of Gaussians in the MMD.
    """
    weight = optim.as_schedule(weight, 'weight')
    heads = (
        {}
        if discriminator is None
        else {'discriminator': two_domains.on_features(discriminator)}
    )
    trains = ('encoder', 'classifier', 'private_source', 'private_target', 'decoder')

    def init(key, batch):
        first = two_domains.create(key, encoder, classifier, batch, {}, heads=heads)
        params, model_state = dict(first.params), dict(first.model_state)
        image = batch['source']['image']

        def add(name, module, x):
            (output, _), params[name], model_state[name] = networks.initialise_one(
                key, name, module, x
            )
            return output

        for domain in ('source', 'target'):
            code = add(f'private_{domain}', private, image)
        code = code.reshape(len(image), -1)
        shared = jax.eval_shape(
            lambda x: encoder.apply(
                {'params': params['encoder'], **model_state['encoder']}, x, train=False
            )[0],
            image,
        )
        if shared.size != code.size:
            raise ValueError(
                f'private features have shape {code.shape} and shared features '
                f'{shared.shape}: their sizes must be equal'
            )
        decoded = add('decoder', decoder, code)
        if decoded.shape != image.shape:
            raise ValueError(
                f'the decoder gives images {decoded.shape}, but the batch has images '
                f'{image.shape}'
            )
        return training.state.create(params, model_state, txs)

    def loss(state, batch, key):
        out = two_domains.forward(encoder, classifier, state, batch, key)
        keys = jax.random.split(out.key, 4)
        images, domain = networks.join(batch, ['source', 'target'])
        n = out.label.shape[0]
        shared = two_domains.both(out, 'features')
        private_codes, new_state = [], dict(out.model_state)
        for rows, name, private_key in (
            (slice(None, n), 'private_source', keys[0]),
            (slice(n, None), 'private_target', keys[1]),
        ):
            code, _, private_state = networks.run(
                private,
                state,
                name,
                images[rows],
                train=True,
                key=private_key,
                domain=domain[rows],
            )
            private_codes.append(ops.at_least_float32(code.reshape(code.shape[0], -1)))
            new_state.update(private_state)

        decoded, _, decoder_state = networks.run(
            decoder,
            state,
            'decoder',
            shared + jnp.concatenate(private_codes),
            train=True,
            key=keys[2],
            domain=domain,
        )
        new_state.update(decoder_state)
        error = losses.scale_invariant_error(
            ops.at_least_float32(images), ops.at_least_float32(decoded)
        )
        reconstruction = jnp.mean(error[:n]) + jnp.mean(error[n:])

        pairs = [
            (collective.gather(h_c), collective.gather(h_p))
            for h_c, h_p in zip((shared[:n], shared[n:]), private_codes, strict=True)
        ]
        difference = sum(losses.difference(h_c, h_p) for h_c, h_p in pairs)
        correlation = sum(
            jnp.mean(jnp.abs(ops.cross_correlation(h_c, h_p))) for h_c, h_p in pairs
        )
        similarity, metrics, discriminator_state = similarity_loss(
            state, out, shared, keys[3]
        )
        new_state.update(discriminator_state)

        weight_t = weight(state.step)
        metrics = {
            **out.metrics,
            **metrics,
            'reconstruction': reconstruction,
            'difference': difference,
            'similarity': similarity,
            'correlation': correlation / 2,
            'weight': weight_t,
        }
        penalty = alpha * reconstruction + beta * difference + gamma * similarity
        aux = training.Aux(metrics, model_state=new_state)
        return out.label_loss + weight_t * penalty, aux

    def similarity_loss(state, out, shared, key):
        """L_similarity, its metrics, and the discriminator's new collections."""
        if discriminator is None:
            source, target = two_domains.gathered(out, 'features')
            kernel = ops.multi_kernel(jnp.concatenate([source, target]), kernels)
            return losses.mmd_biased(source, target, kernel=kernel), {}, {}
        n = out.label.shape[0]
        logits, _, discriminator_state = networks.run(
            discriminator,
            state,
            'discriminator',
            ops.reverse_gradient(shared, 1.0),
            train=True,
            key=key,
        )
        domain_loss, accuracy = two_domains.domain_loss(logits[:n], logits[n:])
        return domain_loss, {'domain_accuracy': accuracy}, discriminator_state

    phase = training.Phase('train', loss, (*trains, *heads))
    return training.Method(
        init,
        training.make_step([phase], txs),
        networks.classify(encoder, classifier),
    )
