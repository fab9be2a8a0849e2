"""Photographs with a class each, on disk."""

from transfer_jax.data.known.data_set import DataSet

SETS = (
    DataSet(
        'caltech101',
        'Caltech-101, photographs of 101 kinds of objects (Fei-Fei et al., 2004)',
        'data.caltech.edu (CaltechDATA), 101_ObjectCategories, without '
        'BACKGROUND_Google and Faces_easy',
        (('caltech101/*/*.jpg',), ('caltech101_subset/*/*.jpg',)),
        as_published=True,
    ),
    DataSet(
        'office_caltech10',
        'Office-Caltech10, 10 classes in 4 domains (Gong et al., CVPR 2012)',
        'the images of Office (Saenko et al., ECCV 2010) and Caltech-256 of those '
        'classes',
        (
            tuple(
                f'office_caltech10/images/{domain}/*/*.jpg'
                for domain in ('amazon', 'caltech10', 'dslr', 'webcam')
            ),
        ),
        as_published=True,
    ),
    DataSet(
        'pacs',
        'PACS, 7 classes as paintings, cartoons, photographs and sketches (Li et '
        'al., ICCV 2017)',
        'the authors of "Deeper, Broader and Artier Domain Generalization"',
        tuple(
            tuple(
                f'{root}/{domain}/*/*.*'
                for domain in ('art_painting', 'cartoon', 'photo', 'sketch')
            )
            for root in ('pacs', 'pacs_subset')
        ),
        as_published=True,
    ),
    DataSet(
        'coil100',
        'COIL-100, 100 objects on a turntable (Nene, Nayar and Murase, 1996)',
        'cs.columbia.edu/CAVE, coil-100.zip',
        (('coil100/obj*__*.*',), ('coil100_subset/obj*__*.*',)),
        as_published=True,
    ),
    DataSet(
        'imagenet_samples',
        'photographs of ILSVRC 2012 classes with MANIFEST.csv (file, ilsvrc_index, '
        'name), to check weights on',
        'image-net.org, or any photographs of those classes',
        (('imagenet_samples/MANIFEST.csv',),),
        as_published=True,
    ),
    DataSet(
        'cifar10_test',
        'test images of CIFAR-10 (Krizhevsky, 2009), to check weights on',
        'an .npz of images (n, 32, 32, 3) uint8 and labels; the whole set is '
        'tfds:cifar10',
        (('cifar10_test1000/cifar10_test1000.npz',),),
        as_published=True,
    ),
)
