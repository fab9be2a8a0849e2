"""DomainAdapter: a classifier for unlabelled images, in a few lines.

python -m examples.domain_adapter
"""

import transfer_jax as tj

# Your images go here: arrays (n, h, w, 3) uint8 of any size, or paths of files.
source, target = tj.data.load('digits', size=16), tj.data.load('digits_m', size=16)
images, labels = source.train.image, source.train.label
target_images = target.train.image  # without labels

steps = 300
for method in ('source_only', 'mcc'):
    adapter = tj.DomainAdapter(method, backbone='small', size=16, steps=steps)
    adapter.fit(images, labels, target_images)
    accuracy = adapter.score(target.test.image, target.test.label)
    print(f'target accuracy, {method}: {accuracy:.1%}')
