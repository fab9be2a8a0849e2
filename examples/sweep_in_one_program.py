"""A weight chosen without target labels: all candidates trained in one program.

    python -m examples.sweep_in_one_program

Minimum class confusion with three weights, side by side (`parallel.over_runs`).
Soft neighbourhood density, a validator that reads predictions on unlabelled target
images only, picks one of them. The target accuracy is printed for comparison.
"""

import jax
import jax.numpy as jnp
import numpy as np

import transfer_jax as tj
from transfer_jax.training import optim, parallel

steps = 300
weights = jnp.array([0.0, 0.1, 0.3])
source, target = tj.data.load('digits', size=16), tj.data.load('digits_m', size=16)
scale = tj.data.normalise(np.full(3, 0.5, np.float32))
invert = tj.data.transforms.invert(0.5)
stream = tj.data.zipped(
    source=tj.data.labelled(source.train, batch_size=32, seed=0, transform=invert),
    target=tj.data.unlabelled(target.train, batch_size=32, seed=0),
).map(scale)


def make(weight):
    """MCC with one weight, a traced number."""
    tx = optim.adam(optim.constant(1e-3))
    return tj.methods.mcc(
        tj.models.SmallNet(norm=tj.models.BatchNorm),
        tj.models.Classifier(10),
        txs={'encoder': tx, 'classifier': tx},
        weight=optim.constant(weight),
    )


def repeated(tree):
    """The same for every run, along a leading axis."""
    runs = len(weights)
    return jax.tree.map(lambda leaf: jnp.stack([leaf] * runs), tree)


method = parallel.over_runs(make, {'weight': weights}, how='vmap')
key = repeated(jax.random.key(0))
state = jax.jit(method.init)(key, repeated(stream[0]))
step = jax.jit(method.step, donate_argnums=0)
for t in range(steps):
    state, _ = step(state, repeated(stream[t]), key)


predict = jax.jit(method.predict)


def logits(images):
    """(runs, n, c) of target images."""
    batch = repeated(scale({'target': {'image': images}}))
    return np.asarray(predict(state, batch)['target']['logits'])


def score(target_logits):
    """Soft neighbourhood density; of the evidence it reads one field."""
    none = np.zeros(0)
    evidence = tj.selection.Evidence(none, none, none, target_logits, none, none, none)
    return tj.selection.VALIDATORS['snd'](evidence)


scores = [score(run) for run in logits(target.train.image)]
correct = logits(target.test.image).argmax(-1) == target.test.label
for weight, value, accuracy in zip(weights, scores, correct.mean(1), strict=True):
    print(f'weight {weight:.1f}: score {value:.3f}, target accuracy {accuracy:.1%}')
print(f'chosen without target labels: weight {weights[int(np.argmax(scores))]:.1f}')
