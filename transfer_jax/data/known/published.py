"""Published sets for classification on disk; data/published/ reads them."""

from transfer_jax.data.known.data_set import DataSet


def _set(
    name: str, description: str, origin: str, *layouts: tuple[str, ...]
) -> DataSet:
    return DataSet(name, description, origin, layouts, as_published=True)


def _below(roots: tuple[str, ...], *names: str) -> tuple[tuple[str, ...], ...]:
    """A layout for each root."""
    return tuple(tuple(f'{root}{name}' for name in names) for root in roots)


SETS = (
    _set(
        'caltech256',
        'Caltech-256, photographs of 256 kinds of objects (Griffin et al., 2007)',
        'data.caltech.edu (CaltechDATA), 256_ObjectCategories.tar',
        *_below(('caltech256/', ''), '256_ObjectCategories/[0-9]*.*'),
    ),
    _set(
        'flowers102',
        'Oxford flowers, 102 classes (Nilsback and Zisserman, ICVGIP 2008)',
        'robots.ox.ac.uk/~vgg/data/flowers/102: 102flowers.tgz, imagelabels.mat and '
        'setid.mat',
        *_below(('flowers102/', 'flowers-102/'), 'setid.mat', 'imagelabels.mat', 'jpg'),
    ),
    _set(
        'cub200',
        'Caltech-UCSD Birds 200-2011 (Wah et al., 2011)',
        'data.caltech.edu (CaltechDATA), CUB_200_2011.tgz',
        *_below(
            ('CUB_200_2011/', 'cub200/CUB_200_2011/'),
            'images.txt',
            'image_class_labels.txt',
            'train_test_split.txt',
            'classes.txt',
            'images',
        ),
    ),
    _set(
        'mit67',
        'MIT indoor scenes, 67 classes (Quattoni and Torralba, CVPR 2009)',
        'web.mit.edu/torralba/www/indoor.html: indoorCVPR_09.tar, TrainImages.txt and '
        'TestImages.txt',
        *_below(('mit67/',), 'TrainImages.txt', 'TestImages.txt', 'Images'),
    ),
    _set(
        'scene15',
        'fifteen scene categories (Lazebnik et al., CVPR 2006)',
        'the authors of "Beyond Bags of Features", scene_categories.zip',
        *_below(('scene15/', 'scene_categories/'), 'bedroom'),
    ),
    _set(
        'imagenet',
        'ImageNet, the classification set of ILSVRC 2012 (Russakovsky et al., 2015)',
        'image-net.org (ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar), or Kaggle, '
        '"ImageNet Object Localization Challenge"; train/<wnid>/*.JPEG, and '
        'val/<wnid>/*.JPEG or val/*.JPEG with val.txt',
        *_below(
            (
                'imagenet/',
                'imagenet/ILSVRC/Data/CLS-LOC/',
                'ILSVRC/Data/CLS-LOC/',
            ),
            'train',
            'val',
        ),
    ),
    *(
        _set(
            f'office31_{name}',
            f'the domain {name} of Office-31 (Saenko et al., ECCV 2010)',
            'the authors of "Adapting Visual Category Models to New Domains", '
            'domain_adaptation_images.tar.gz',
            *_below(('office31/', 'domain_adaptation_images/'), f'{name}/images'),
        )
        for name in ('amazon', 'dslr', 'webcam')
    ),
    *(
        _set(
            f'officehome_{name}',
            f'the domain {folders[0]} of Office-Home (Venkateswara et al., CVPR 2017)',
            'hemanthdv.org, OfficeHomeDataset_10072016.zip',
            *(
                layout
                for folder in folders
                for layout in _below(
                    ('office_home/', 'OfficeHomeDataset_10072016/'), folder
                )
            ),
        )
        for name, folders in (
            ('art', ('Art',)),
            ('clipart', ('Clipart',)),
            ('product', ('Product',)),
            ('real_world', ('Real World', 'RealWorld', 'Real_World')),
        )
    ),
    *(
        _set(
            f'visda2017_{part}',
            f'the {part} part of VisDA-2017, classification (Peng et al., 2017)',
            f'ai.bu.edu/visda-2017, {part}.tar',
            *_below(('visda2017/', 'visda/'), f'{part}/image_list.txt'),
        )
        for part in ('train', 'validation')
    ),
    *(
        _set(
            f'domainnet_{name}',
            f'the domain {name} of DomainNet (Peng et al., ICCV 2019)',
            f'ai.bu.edu/M3SDA: {name}.zip, {name}_train.txt and {name}_test.txt',
            *_below(
                ('domainnet/', 'DomainNet/'),
                f'{name}_train.txt',
                f'{name}_test.txt',
                name,
            ),
        )
        for name in (
            *('clipart', 'infograph', 'painting', 'quickdraw', 'real', 'sketch'),
        )
    ),
)
