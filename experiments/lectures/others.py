"""Lectures 4 and 5, and what is left out."""

from experiments.lectures.item import Here, Item

ZERO_SHOT, SELF_SUPERVISED = '4', '5'
TO_COME = 'not built yet'

ITEMS = (
    Item(
        ZERO_SHOT,
        'Classes by attributes and by sentences, in one and in both worlds',
        'experiments.zero_shot.cub',
    ),
    Item(
        ZERO_SHOT,
        'Classes by their names: convex combinations of word vectors',
        'experiments.zero_shot.photos',
        here=Here(
            'zero_shot/photos.json',
            {
                'imagenet_classes': 'taken out',
                'network': 'mobilenet_v2',
                'data': 'pacs_photo',
            },
            'accuracy',
            'photographs of PACS, MobileNetV2, without the classes of the same kind',
        ),
    ),
    *(
        Item(ZERO_SHOT, title, out=TO_COME)
        for title in (
            'GAN, WGAN, pix2pix, CycleGAN',
            'Style by optimisation and in one pass',
            'Disentangled factors, novel views',
            'Segmentation adapted by entropy',
        )
    ),
    *(
        Item(SELF_SUPERVISED, title, out=TO_COME)
        for title in (
            'Rotation, jigsaw, context, colorization, inpainting, contrast',
            'Detection from pretrained networks',
        )
    ),
    *(
        Item('', title, out=reason)
        for title, reason in (
            (
                'Lifelong learning',
                'a sequence of tasks, which no experiment here has',
            ),
            (
                'Self-taught learning by sparse coding',
                'pretext tasks of networks took its place',
            ),
            ('Sensor fusion, 3-D', 'other inputs than photographs'),
            ('Motion forecast, control', 'other outputs than classes and maps'),
            (
                'Re-identification',
                'photographs of persons by identity; retrieval of other things is here',
            ),
            ('Speech', 'only as layer transfer with the last layers copied'),
            (
                'BiCoS of the flowers descriptors',
                'needs segmentation masks of its own',
            ),
        )
    ),
)
