"""Lecture 2: WELDON, WILDCAT, localisation and segmentation from image labels."""

from typing import NamedTuple

from experiments.lectures.item import Cost, Here, Item

LECTURE = '2'
POOLINGS = 'experiments.localization.multi_label'
SCENES = 'experiments.localization.classification'
FRUIT = 'photographs of fruit, SqueezeNet'


def _fruit(pooling: str, value: str, title: str) -> Here:
    where = {'pooling': pooling}
    return Here('localization/fruit.json', where, value, f'{FRUIT}, {title}')


class Method(NamedTuple):
    """A method with its network, and the flags that differ from the defaults."""

    title: str
    network: str
    size: int
    paper: str
    flags: str = ''


WILDCAT = Method(
    'WILDCAT', 'resnet101', 448, 'WILDCAT with ResNet-101, Durand et al. 2017'
)
WELDON = Method(
    'WELDON',
    'vgg16',
    448,
    'WELDON with VGG-16, Durand et al. 2016',
    ' --config.poolings weldon --config.k 15 --config.backbone vgg16 '
    '--config.last fc7 --config.batch 40 --config.rate 0.01 --config.below 0.1',
)


def _cost(images: int, method: Method = WILDCAT, epochs: int = 20) -> Cost:
    return Cost(images, method.network, epochs, size=method.size, trained=True)


ITEMS = (
    *(
        Item(
            LECTURE,
            f'{method.title}, {title}',
            module,
            f'--config.data {name}{method.flags}',
            data=(name,),
            weights=(method.network,),
            published=f'{number} ({method.paper})' if number else '',
            cost=(_cost(images, method),),
            here=_fruit(method.title.lower(), 'mAP', f'{method.title}, mAP')
            if module == POOLINGS
            else None,
        )
        for title, name, module, images, numbers in (
            ('VOC 2007', 'voc2007', POOLINGS, 5_011, ('mAP 95.0', 'mAP 90.2')),
            ('VOC 2012', 'voc2012', POOLINGS, 5_717, ('mAP 93.4', 'mAP 88.5')),
            ('COCO', 'coco2014', POOLINGS, 82_783, ('mAP 80.7', 'mAP 68.8')),
            ('MIT67', 'mit67', SCENES, 5_360, ('84.0', '78.0')),
            ('15 Scene', 'scene15', SCENES, 1_500, ('94.4', '94.3')),
            ('VOC 2012 Action', 'voc2012_action', SCENES, 3_134, ('mAP 86.0', '')),
        )
        for method, number in zip((WILDCAT, WELDON), numbers, strict=True)
    ),
    *(
        Item(
            LECTURE,
            f'Pointwise localisation, {title}',
            POOLINGS,
            f'--config.data {name}',
            data=(name,),
            weights=('resnet101',),
            published=f'{deep_mil} by max pooling (Oquab et al. 2015); {wildcat} '
            f'({WILDCAT.paper})',
            cost=(_cost(images),),
            here=_fruit('wildcat', 'pointwise', 'WILDCAT, pointwise'),
        )
        for title, name, images, deep_mil, wildcat in (
            ('VOC 2012 val', 'voc2012', 5_717, 74.5, 82.9),
            ('COCO val', 'coco2014', 82_783, 41.2, 53.4),
        )
    ),
    Item(
        LECTURE,
        'Segmentation from image labels, with a fully connected CRF, VOC 2012',
        'experiments.localization.weak_segmentation',
        '--config.data voc2012',
        data=('voc2012', 'voc2012_segmentation'),
        weights=('resnet101',),
        published=f'mean IoU on val 39.2, with the CRF 43.7 ({WILDCAT.paper})',
        cost=(_cost(5_717),),
        here=Here(
            'localization/segmentation.json',
            {'method': 'maps + CRF'},
            'mean_iou',
            'composite scenes, maps and CRF',
        ),
    ),
    Item(
        LECTURE,
        'Fully convolutional networks trained on masks',
        'experiments.localization.camvid',
        here=Here(
            'localization/camvid.json',
            {'network': 'FCN-8s'},
            'mean_iou',
            '110 frames of CamVid, FCN-8s, mean IoU',
        ),
    ),
)
