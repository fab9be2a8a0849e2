"""Multi-task learning: one trunk and a head for each of several label spaces."""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

from transfer_jax import losses, training
from transfer_jax.ops import collective
from transfer_jax.training import networks, optim

UNCERTAINTY = 'uncertainty'


def multi_task(
    encoder: nn.Module,
    heads: Mapping[str, nn.Module],
    *,
    txs: optim.Optimisers,
    weights: Mapping[str, optim.Schedule | float] | None = None,
) -> training.Method:
    """Trains trunk f and heads y_t on a weighted sum of the tasks' losses L_t.

    L_t is the mean of CE(y_t(f(x)), label_t) over the examples that have a label of
    task t (Caruana 1997). With fixed weights the loss is sum_t w_t L_t. Without
    weights, it is sum_t exp(-2 s_t) L_t + s_t, where s_t = log sigma_t is learned and
    starts at 0; the s_t are the parameters of a network 'uncertainty' (Kendall, Gal &
    Cipolla, CVPR 2018, eq. 10).

    Trains 'encoder', the heads under the names of their tasks and, without weights,
    'uncertainty', on a batch {'source': {'image', 'labels': {task: (n,)}}}. A label of
    -1 is unknown. A task without labels in a batch adds exactly 0 to the loss and to
    every gradient, also to that of its s_t, and its head's statistics do not change.
    (An optimiser's momentum and decay still act.)

    `predict` gives 'logits' as {task: (n, c)}; see `single_task`.

    Args:
      heads: {task: network on the features}.
      weights: {task: weight as a function of the step}; None: uncertainty weighting.

    Raises:
      ValueError: a task has a reserved name, or the weights are of other tasks.
    """
    tasks = tuple(heads)
    for name in ('encoder', UNCERTAINTY):
        if name in heads:
            raise ValueError(f'no task can be called {name!r}: the name is reserved')
    if weights is not None and set(weights) != set(tasks):
        raise ValueError(
            f'there are weights for {sorted(weights)}, but the tasks are '
            f'{sorted(tasks)}'
        )
    if weights is not None:
        weights = {
            task: optim.as_schedule(weight, f'weight of {task!r}')
            for task, weight in weights.items()
        }

    def init(key, batch):
        params, model_state = networks.initialise(
            key, encoder, heads, batch['source']['image']
        )
        if weights is None:
            params[UNCERTAINTY] = {task: jnp.zeros(()) for task in tasks}
            model_state[UNCERTAINTY] = {}
        return training.state.create(params, model_state, txs)

    def loss(state, batch, key):
        keys = jax.random.split(key, 3)  # as methods.supervised, for the first task
        images, domain = networks.join(batch, ['source'])
        features, _, new_state = networks.run(
            encoder, state, 'encoder', images, train=True, key=keys[0], domain=domain
        )
        total, metrics = jnp.zeros(()), {}
        for i, task in enumerate(tasks):
            label = batch['source']['labels'][task]
            task_key = jax.random.fold_in(keys[1], i) if i else keys[1]
            logits, _, head_state = networks.run(
                heads[task],
                state,
                task,
                features,
                train=True,
                key=task_key,
                domain=domain,
            )
            known = label != losses.UNKNOWN
            # The mean number of labels per device: the loss is averaged over devices.
            count = collective.mean(jnp.sum(known, dtype=jnp.float32))
            present = count > 0
            value = jnp.sum(losses.known_cross_entropy(logits, label))
            value = value / jnp.where(present, count, 1.0)
            if weights is None:
                s = state.params[UNCERTAINTY][task]
                weighted = losses.uncertainty_weighted(value, s)
                weight = jnp.exp(-2 * s)
            else:
                weight = weights[task](state.step)
                weighted = weight * value
            total = total + jnp.where(present, weighted, 0.0)
            correct = jnp.sum((jnp.argmax(logits, -1) == label) & known)
            metrics |= {
                f'{task}_loss': value,
                f'{task}_accuracy': correct / jnp.where(present, count, 1.0),
                f'{task}_weight': weight,
            }
            new_state |= jax.tree.map(
                lambda new, old, present=present: jnp.where(present, new, old),
                head_state,
                {task: state.model_state[task]},
            )
        return total, training.Aux(metrics, model_state=new_state)

    def predict(state, batch):
        outputs = {}
        for name, part in batch.items():
            images, domain = networks.join({name: part}, [name])
            features, taps, _ = networks.run(
                encoder, state, 'encoder', images, domain=domain
            )
            logits = {
                task: networks.run(head, state, task, features, domain=domain)[0]
                for task, head in heads.items()
            }
            outputs[name] = {'logits': logits, 'features': features, **taps}
        return outputs

    trained = ('encoder', *tasks, *([UNCERTAINTY] if weights is None else []))
    phase = training.Phase('train', loss, trained)
    return training.Method(init, training.make_step([phase], txs), predict)


def single_task(method: training.Method, task: str) -> training.Method:
    """The method with the logits of one task as the `logits` of its predictions."""

    def predict(state, batch):
        outputs = method.predict(state, batch)
        return {k: {**v, 'logits': v['logits'][task]} for k, v in outputs.items()}

    return method._replace(predict=predict)
