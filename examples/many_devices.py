"""One training on all local devices, with gradients accumulated over steps.

    JAX_NUM_CPU_DEVICES=4 python -m examples.many_devices

`parallel.pmapped` splits each batch over the devices; `optim.accumulate` updates once
every two steps, by the mean gradient: the memory of 32 images a step, the update of 64.
"""

import jax
import numpy as np
import optax

import transfer_jax as tj
from transfer_jax.training import optim, parallel

steps = 400
digits = tj.data.load('digits', size=16)
scale = tj.data.normalise(np.full(3, 0.5, np.float32))
batches = tj.data.labelled(digits.train, batch_size=32, seed=0)
stream = tj.data.zipped(source=batches).map(scale)

rate = optax.warmup_cosine_decay_schedule(0.0, 4e-3, steps // 20, steps)
tx = optim.accumulate(optim.adam(rate), 2)
method = tj.methods.supervised(
    tj.models.SmallNet(norm=tj.models.BatchNorm),
    tj.models.Classifier(10),
    txs={'encoder': tx, 'classifier': tx},
)
state = jax.jit(method.init)(jax.random.key(0), stream[0])
on_all = parallel.pmapped(method)
for t in range(steps):  # pmapped compiles by itself, so this is fit without its jit
    state, metrics = on_all.step(state, stream[t], jax.random.key(1))

predict = tj.evaluation.bind(method, state, 'source')
test = tj.data.batches(digits.test, 100).map(scale)
accuracy = tj.evaluation.evaluate(predict, test, tj.metrics.accuracy())['accuracy']
print(f'{jax.local_device_count()} devices: test accuracy {accuracy:.1%}')
