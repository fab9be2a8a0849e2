"""Labelled images here, unlabelled images there, a classifier for there, in one object.

    python -m examples.adapt_arrays

Prints a target accuracy of about 87 % (one seed). 'source_only' in place of 'dann'
trains the same network without DANN.
"""

import transfer_jax as tj

# Your images go here: arrays (n, h, w, 3) uint8, paths of files, or a folder.
source, target = tj.data.load('digits', size=16), tj.data.load('digits_m', size=16)
images, labels = source.train.image, source.train.label
target_images = target.train.image  # no target label is used in training

steps = 1000
adapter = tj.DomainAdapter(
    'dann',
    'small_convnet',  # with pretrained weights in the data folder: 'mobilenet_v1', ...
    size=16,
    steps=steps,
    augment=tj.data.transforms.invert(0.5),  # by default flips and zooms
)
adapter.fit(images, labels, target_images)
accuracy = adapter.score(target.test.image, target.test.label)
print(f'target accuracy: {accuracy:.1%}')
