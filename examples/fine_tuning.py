"""Fine-tuning a trained network on few labels: gradual unfreezing, early stopping.

    python -m examples.fine_tuning

First a network learns the digits 0 to 4, then it is fine-tuned on 50 images of 5 to 9:
the new classifier alone, then one more layer of the encoder from stage to stage. Each
stage ends with the state of the lowest validation loss (Howard & Ruder 2018).
"""

import jax
import jax.numpy as jnp
import numpy as np

import transfer_jax as tj
from transfer_jax.training import optim, stopping

steps = 200  # at most, of each stage
digits = tj.data.load('digits', size=16)
scale = tj.data.normalise(np.full(3, 0.5, np.float32))


def part(arrays, first, last, most=None):
    """The images of digits first..last-1, labelled from 0."""
    rows = np.flatnonzero((arrays.label >= first) & (arrays.label < last))[:most]
    return tj.data.Arrays(arrays.image[rows], arrays.label[rows] - first)


def stream(arrays, batch_size):
    """Training batches of one domain."""
    batches = tj.data.labelled(arrays, batch_size=batch_size, seed=0)
    return tj.data.zipped(source=batches).map(scale)


def method(rules):
    """Supervised training in which `rules` say what is frozen in the encoder."""
    rate = optim.constant(2e-3)
    encoder = optim.grouped(lambda group: optim.adam(rate), rules)
    return tj.methods.fine_tuning(
        tj.models.SmallNet(),
        tj.models.Classifier(5),
        txs={'encoder': encoder, 'classifier': optim.adam(rate)},
    )


key = jax.random.key(0)
first = stream(part(digits.train, 0, 5), 48)
whole = method([])
trained = jax.jit(whole.init)(key, first[0])
trained = tj.training.fit(whole, trained, first, key=key, steps=steps)

few = part(digits.train, 5, 10, most=50)
train, valid = few.take(np.arange(40)), few.take(np.arange(40, 50))
held_out = scale({'source': {'image': valid.image}})
target = stream(train, 20)
start = tj.methods.start_from({'encoder': trained.params['encoder']})
previous = None
for rules in optim.unfreezing(['conv_1', 'conv_2', 'conv_3']):
    stage = method(rules)
    state = jax.jit(stage.init)(key, target[0])
    # The first stage has a new classifier, the others go on from the stage before.
    state = (
        tj.methods.continue_from_previous(state, previous) if previous else start(state)
    )

    @jax.jit
    def loss(state, stage=stage):
        logits = stage.predict(state, held_out)['source']['logits']
        return jnp.mean(tj.losses.cross_entropy(logits, valid.label))

    best = stopping.EarlyStopping(loss, every=10, patience=3)
    previous = stopping.fit_until_best(stage, state, target, best, key=key, steps=steps)
    predict = tj.evaluation.bind(stage, previous, 'source')
    test = tj.data.batches(part(digits.test, 5, 10), 50).map(scale)
    accuracy = tj.evaluation.evaluate(predict, test, tj.metrics.accuracy())['accuracy']
    frozen = len(rules)
    print(f'{frozen} layers frozen, best at step {best.step}: accuracy {accuracy:.1%}')
