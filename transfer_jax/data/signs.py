"""Traffic signs: GTSRB, and Synthetic Signs, which has the same 43 classes."""

import hashlib
import pathlib

import numpy as np

from transfer_jax.data import files, images
from transfer_jax.data.sources import Arrays, Domain

# Official ClassId 0..42.
CLASSES = (
    *(f'speed {limit}' for limit in (20, 30, 50, 60, 70, 80)),
    *('end of 80', 'speed 100', 'speed 120', 'no passing', 'no passing >3.5t'),
    *('right of way', 'priority road', 'yield', 'stop', 'no vehicles', 'no >3.5t'),
    *('no entry', 'caution', 'curve left', 'curve right', 'double curve', 'bumpy'),
    *('slippery', 'narrows right', 'road work', 'signals', 'pedestrians', 'children'),
    *('bicycles', 'ice', 'animals', 'end of limits', 'turn right', 'turn left'),
    *('ahead', 'ahead or right', 'ahead or left', 'keep right', 'keep left'),
    *('roundabout', 'end no passing', 'end no passing >3.5t'),
)
SPLIT_SEED = 0
TEST_SHARE = {'gtsrb': 0.25, 'syn_signs': 0.2}


def gtsrb(size: int, dirs: tuple[pathlib.Path, ...]) -> Domain:
    """Photographed signs (n, size, size, 3); no sign is in both train and test."""
    content = _read(files.locate('gtsrb', dirs)[0])
    parts = [_arrays(content[f'{s}_x'], content[f'{s}_y'], size) for s in _SPLITS]
    return Domain('gtsrb', CLASSES, *parts)


def syn_signs(size: int, dirs: tuple[pathlib.Path, ...]) -> Domain:
    """Rendered signs (n, size, size, 3); a fifth, drawn by seed, is held out."""
    content = _read(files.locate('syn_signs', dirs)[0])
    by_id = np.argsort(content['id'], kind='stable')
    order = by_id[np.random.default_rng(SPLIT_SEED).permutation(len(by_id))]
    held_out = round(TEST_SHARE['syn_signs'] * len(order))
    parts = [
        _arrays(content['x'][rows], content['y'][rows], size)
        for rows in (order[held_out:], order[:held_out])
    ]
    return Domain('syn_signs', CLASSES, *parts)


def convert_gtsrb(folder: pathlib.Path, path: pathlib.Path, size: int = 40) -> None:
    """Writes the .npz from the publisher's folders `000NN/TTTTT_FFFFF.ppm`.

    `folder` is Final_Training/Images or contains it. Images are not cropped to the
    regions of interest of the CSV files. A track shows one sign 30 times, so the split
    is by track: a quarter of them is for testing. The choice is independent of the
    classes: tracks are ordered by the digest of their first image, and the first are
    taken.
    """
    tracks: dict[tuple[int, str], list[pathlib.Path]] = {}
    for file in sorted(folder.rglob('*.ppm')):
        if file.parent.name.isdigit() and '_' in file.stem:
            number = (int(file.parent.name), file.stem.split('_')[0])
            tracks.setdefault(number, []).append(file)
    if not tracks:
        raise ValueError(f'{folder}: holds no 000NN/TTTTT_FFFFF.ppm')
    order = sorted(
        tracks, key=lambda t: hashlib.sha256(tracks[t][0].read_bytes()).digest()
    )
    held_out = max(1, round(TEST_SHARE['gtsrb'] * len(order)))
    content = {}
    for split, chosen in zip(
        _SPLITS, (order[held_out:], order[:held_out]), strict=True
    ):
        paths = [(file, number) for number, t in chosen for file in tracks[number, t]]
        content[f'{split}_x'] = np.stack(
            [images.decode(file.read_bytes(), file, size) for file, _ in paths]
        )
        content[f'{split}_y'] = np.array([number for _, number in paths], np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **content)


def convert_syn_signs(folder: pathlib.Path, path: pathlib.Path, size: int = 40) -> None:
    """Writes the .npz from the publisher's images and `train_labelling.txt`.

    Each line of that file begins with the name of an image and its class.
    """
    lists = sorted(folder.rglob('train_labelling.txt'))
    if not lists:
        raise ValueError(f'{folder}: holds no train_labelling.txt')
    named = {file.name: file for file in folder.rglob('*.png')}
    rows = [line.split() for line in lists[0].read_text().splitlines() if line.strip()]
    missing = [row[0] for row in rows if pathlib.Path(row[0]).name not in named]
    if missing:
        raise ValueError(
            f'{folder}: {len(missing)} images are missing, such as {missing[0]}'
        )
    chosen = [named[pathlib.Path(row[0]).name] for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        x=np.stack([images.decode(file.read_bytes(), file, size) for file in chosen]),
        y=np.array([int(row[1]) for row in rows], np.uint8),
        id=np.arange(len(rows)),
    )


_SPLITS = ('train', 'test')


def _read(path: pathlib.Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def _arrays(image: np.ndarray, label: np.ndarray, size: int) -> Arrays:
    return Arrays(images.resize(image, size), label.astype(np.int32), CLASSES)
