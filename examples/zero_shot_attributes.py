"""Classes without an example, told apart by their attributes (Lampert et al., 2009).

    python -m examples.zero_shot_attributes

Detectors of three attributes learn from four animals. A dog, a fish and a chimp are
new: all that is known of them is their row of the table. Features are generated.
"""

import jax
import numpy as np

from transfer_jax import zero_shot

#          furry, four legs, tail
SEEN = {
    'bear': (1, 1, 0),
    'monkey': (1, 0, 1),
    'lizard': (0, 1, 1),
    'frog': (0, 1, 0),
}
UNSEEN = {'dog': (1, 1, 1), 'fish': (0, 0, 1), 'chimp': (1, 0, 0)}

n = 200  # images of each animal
rng = np.random.default_rng(0)
looks = rng.normal(size=(3, 20))  # what an attribute does to the features
known, new = (np.array(list(table.values()), float) for table in (SEEN, UNSEEN))
label, truth = np.repeat(np.arange(len(known)), n), np.repeat(np.arange(len(new)), n)
images = known[label] @ looks + rng.normal(size=(len(label), 20))
new_images = new[truth] @ looks + rng.normal(size=(len(truth), 20))

method = zero_shot.pipeline(zero_shot.dap())
fitted = method.fit(jax.random.key(0), images, label, known)
predicted = method.scores(fitted, new_images, new).argmax(1)
for i, name in enumerate(UNSEEN):
    print(f'{name:<6} {np.mean(predicted[truth == i] == i):.1%}')
