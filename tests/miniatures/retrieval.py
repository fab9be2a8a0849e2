"""Miniatures of the retrieval sets, with the names of the published files."""

import pathlib

import numpy as np

SIDES = ((48, 36), (36, 48), (48, 48))  # width, height


def oxford5k(root: pathlib.Path) -> None:
    """12 images of three buildings; two queries with boxes."""
    names = [
        f'{place}_{number:06}'
        for place in ('all_souls', 'ashmolean', 'radcliffe_camera')
        for number in (13, 26, 51, 90)
    ]
    folder = root / 'oxford5k'
    for i, name in enumerate(names):
        _save(folder / 'images' / f'{name}.jpg', i // 4, i)
    _lists(
        folder / 'groundtruth' / 'all_souls_1',
        'oxc1_all_souls_000013 4.5 2.1 40.0 33.7',
        good=names[:2],
        ok=names[2:3],
        junk=names[3:4],
    )
    _lists(
        folder / 'groundtruth' / 'radcliffe_camera_1',
        'oxc1_radcliffe_camera_000026 3 3 30 30',
        good=names[8:12],
        ok=[],
        junk=[],
    )


def paris6k(root: pathlib.Path) -> None:
    """12 images in folders of landmarks, one of them damaged; two queries."""
    folder = root / 'paris6k'
    places = {'defense': 605, 'louvre': 136, 'triomphe': 135}
    for i, (place, first) in enumerate(places.items()):
        for j in range(4):
            name = f'paris_{place}_{first + j:06}.jpg'
            _save(folder / 'images' / place / name, i, 4 * i + j)
    (folder / 'images/louvre/paris_louvre_000136.jpg').write_text('302 Found')
    _lists(
        folder / 'groundtruth' / 'defense_1',
        'paris_defense_000605 2.0 2.0 40.0 30.0',
        good=['paris_defense_000605', 'paris_defense_000606'],
        ok=['paris_defense_000607'],
        junk=['paris_defense_000608'],
    )
    _lists(
        folder / 'groundtruth' / 'louvre_1',
        'paris_louvre_000137 0 0 30 48',
        good=['paris_louvre_000136', 'paris_louvre_000137'],
        ok=['paris_louvre_000138', 'paris_louvre_000139'],
        junk=[],
    )


def holidays(root: pathlib.Path) -> None:
    """12 images in groups of 3, 2, 3 and 4; four queries."""
    groups = {1000: 3, 1001: 2, 1003: 3, 1499: 4}
    names = [f'{g}{i:02}' for g, count in groups.items() for i in range(count)]
    for i, name in enumerate(names):
        group = list(groups).index(int(name[:4]))
        _save(root / 'holidays' / 'jpg' / f'{name}.jpg', group, i)


def ukbench(root: pathlib.Path) -> None:
    """12 images of three objects."""
    for i in range(12):
        _save(root / 'ukbench' / 'full' / f'ukbench{i:05}.jpg', i // 4, i)


def groups(folder: pathlib.Path) -> None:
    """A user's own photographs: 10 images in folders of 5, 4 and 1."""
    for i, name in enumerate(['cup'] * 5 + ['plant'] * 4 + ['shoe']):
        _save(folder / name / f'photo {i}.jpg', ('cup', 'plant', 'shoe').index(name), i)


def _save(path: pathlib.Path, group: int, seed: int) -> None:
    """A noisy image; the colour of its middle shows the group."""
    from PIL import Image

    width, height = SIDES[seed % len(SIDES)]
    image = np.random.default_rng(seed).integers(0, 90, (height, width, 3))
    image[8:-8, 8:-8, group % 3] += 80 + 40 * (group // 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image.astype(np.uint8)).save(path, quality=95)


def _lists(stem: pathlib.Path, query: str, **lists: list[str]) -> None:
    stem.parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(f'{stem}_query.txt').write_text(query + '\n')
    for kind, names in lists.items():
        text = ''.join(f'{name}\n' for name in names)
        pathlib.Path(f'{stem}_{kind}.txt').write_text(text)
