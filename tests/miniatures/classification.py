"""Published sets for classification with a few images, in their published layouts.

Each function writes one set below a data folder `root`.
"""

import pathlib
import zlib

import numpy as np
import scipy.io
from PIL import Image

OFFICE31 = ('back_pack', 'bike', 'mug')
OFFICE_HOME = ('Alarm_Clock', 'Backpack', 'Mug')
VISDA = ('aeroplane', 'bicycle', 'train')
DOMAINNET = ('aircraft_carrier', 'alarm_clock', 'zigzag')
IMAGENET = ('n01440764', 'n01443537', 'n02012849', 'n03126707')


def caltech256(root: pathlib.Path) -> None:
    """Three classes of 62 images, clutter, and a file that is no image."""
    folder = root / 'caltech256' / '256_ObjectCategories'
    classes = ('001.ak47', '002.american-flag', '056.dog')
    for label, name in enumerate((*classes, '257.clutter')):
        for i in range(1, 63 if name in classes else 3):
            save(folder / name / f'{name[:3]}_{i:04d}.jpg', label)
    (folder / '056.dog' / 'RENAME2').write_text('mv a b')
    save(folder / '056.dog' / 'greg' / 'dog.jpg', 2)


def flowers102(root: pathlib.Path) -> None:
    """Three classes of 8 images: 3 in trnid, 2 in valid, 3 in tstid."""
    folder = root / 'flowers102'
    labels = np.repeat([1, 2, 3], 8).astype(np.uint8)
    for i, label in enumerate(labels, 1):
        save(folder / 'jpg' / f'image_{i:05d}.jpg', int(label) - 1)
    scipy.io.savemat(folder / 'imagelabels.mat', {'labels': labels[None]})
    ids = np.arange(1, 25).reshape(3, 8)
    parts = {'tstid': ids[:, :3], 'trnid': ids[:, 3:6], 'valid': ids[:, 6:]}
    rows = {name: part.reshape(1, -1).astype(np.uint16) for name, part in parts.items()}
    scipy.io.savemat(folder / 'setid.mat', rows)


def cub200(root: pathlib.Path) -> None:
    """Three classes of 8 images, the first 5 for training."""
    folder = root / 'CUB_200_2011'
    classes = (
        '001.Black_footed_Albatross',
        '002.Laysan_Albatross',
        '003.Sooty_Albatross',
    )
    files = [
        f'{name}/{name[4:]}_{i:04d}_{79 + i}.jpg' for name in classes for i in range(8)
    ]
    for i, file in enumerate(files):
        save(folder / 'images' / file, i // 8)
    for name, values in {
        'images.txt': files,
        'image_class_labels.txt': [1 + i // 8 for i in range(24)],
        'train_test_split.txt': [int(i % 8 < 5) for i in range(24)],
        'classes.txt': classes,
    }.items():
        rows = [f'{i} {value}' for i, value in enumerate(values, 1)]
        _write(folder / name, rows)


def mit67(root: pathlib.Path) -> None:
    """Three classes: 5 images in TrainImages.txt, 3 in TestImages.txt, 1 in neither."""
    folder = root / 'mit67'
    lists = {'TrainImages.txt': [], 'TestImages.txt': []}
    for label, name in enumerate(('airport_inside', 'bakery', 'winecellar')):
        for i in range(1, 10):
            file = f'{name}/{name}_{i:04d}.jpg'
            save(folder / 'Images' / file, label)
            if i < 9:
                lists['TrainImages.txt' if i < 6 else 'TestImages.txt'].append(file)
    for name, rows in lists.items():
        _write(folder / name, rows)


def scene15(root: pathlib.Path) -> None:
    """Three classes of 102 images."""
    for label, name in enumerate(('CALsuburb', 'MITcoast', 'bedroom')):
        for i in range(1, 103):
            path = root / 'scene_categories' / name / f'image_{i:04d}.jpg'
            save(path, label)


def office31(root: pathlib.Path) -> None:
    """Three domains of three classes of 8 images."""
    for domain in ('amazon', 'dslr', 'webcam'):
        for label, name in enumerate(OFFICE31):
            for i in range(1, 9):
                folder = root / 'office31' / domain / 'images' / name
                shift = {'amazon': 0, 'dslr': 1, 'webcam': 2}[domain]
                save(folder / f'frame_{i:04d}.jpg', label, (40 + shift, 50 + i))


def officehome(root: pathlib.Path) -> None:
    """Four domains of three classes of 8 images."""
    for domain in ('Art', 'Clipart', 'Product', 'Real World'):
        for label, name in enumerate(OFFICE_HOME):
            for i in range(1, 9):
                path = root / 'office_home' / domain / name / f'{i:05d}.jpg'
                save(path, label, (40 + len(domain), 50 + i))


def visda2017(root: pathlib.Path) -> None:
    """Both parts: three classes of 8 images, the class 'train' among them."""
    for part, file in (
        ('train', 'src_{0}_02691156_4def53f149137451b0009f08a96f38a9__44_349_150.png'),
        ('validation', '{0}_100089_115513.jpg'),
    ):
        folder, rows = root / 'visda2017' / part, []
        for label, name in enumerate(VISDA):
            for i in range(8):
                path = f'{name}/{file.format(i)}'
                save(folder / path, label)
                rows.append(f'{path} {label}')
        _write(folder / 'image_list.txt', rows)


def domainnet(root: pathlib.Path) -> None:
    """Six domains: three classes of 5 training and 3 test images."""
    domains = ('clipart', 'infograph', 'painting', 'quickdraw', 'real', 'sketch')
    for number, domain in enumerate(domains):
        rows = {'train': [], 'test': []}
        for label, name in enumerate(DOMAINNET):
            for i in range(1, 9):
                file = f'{domain}/{name}/{domain}_{label + 1:03d}_{i:06d}.jpg'
                save(root / 'domainnet' / file, label, (40 + number, 50 + i))
                rows['train' if i < 6 else 'test'].append(f'{file} {label}')
        for part, lines in rows.items():
            _write(root / 'domainnet' / f'{domain}_{part}.txt', lines)


def imagenet(root: pathlib.Path) -> None:
    """Four classes of 8 training and 3 validation images, in folders of classes."""
    folder = _imagenet_train(root)
    for label, name in enumerate(IMAGENET):
        for i in range(3):
            number = 1 + 4 * i + label
            file = f'ILSVRC2012_val_{number:08d}.JPEG'
            save(folder / 'val' / name / file, label)


def imagenet_flat(root: pathlib.Path) -> None:
    """The same, with all validation images in one folder and val.txt."""
    folder, rows = _imagenet_train(root), []
    for i in range(12):
        file = f'ILSVRC2012_val_{1 + i:08d}.JPEG'
        save(folder / 'val' / file, i % 4)
        rows.append(f'{file} {i % 4}')
    _write(folder / 'val.txt', rows)


def draw(name: str, label: int, size: tuple[int, int] | None = None) -> Image.Image:
    """A picture of (width, height), 40 to 64 by default; a function of its name."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    width, height = size or tuple(int(side) for side in rng.integers(40, 65, 2))
    colour = np.random.default_rng(label).integers(40, 216, 3)
    columns = np.arange(width) + rng.integers(8)
    stripes = 30 * np.sin(2 * np.pi * columns / (6 + 3 * (label % 5)))
    image = colour + stripes[None, :, None] + rng.normal(0, 8, (height, width, 3))
    return Image.fromarray(image.clip(0, 255).astype(np.uint8))


def save(path: pathlib.Path, label: int, size: tuple[int, int] | None = None) -> None:
    """Writes the picture of the last two parts of a path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(f'{path.parent.name}/{path.name}', label, size).save(path)


def _imagenet_train(root: pathlib.Path) -> pathlib.Path:
    folder = root / 'imagenet'
    for label, name in enumerate(IMAGENET):
        for i in range(8):
            save(folder / 'train' / name / f'{name}_{10 + i}.JPEG', label)
    words = ('tench, Tinca tinca', 'goldfish, Carassius auratus', 'crane', 'crane')
    rows = [f'{name} {text}' for name, text in zip(IMAGENET, words, strict=True)]
    _write(folder / 'LOC_synset_mapping.txt', rows)
    return folder


def _write(path: pathlib.Path, rows: list[str]) -> None:
    path.write_text('\n'.join(rows) + '\n')
