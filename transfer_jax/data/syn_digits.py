"""Synthetic digits after Ganin and Lempitsky (ICML 2015, section 4.1, SYN NUMBERS).

Numbers of one to three digits in 21 font faces, varying in position, size, slant,
orientation, weight, outline and colours, on varying backgrounds, blurred. The central
digit is the label; parts of its neighbours may be visible at the sides. Image i is a
pure function of (seed, i). The authors rendered Windows fonts. These faces come with
Matplotlib, so the images resemble theirs but are not the same.
"""

import functools
import importlib.util
import pathlib

import numpy as np

from transfer_jax.data import files, images
from transfer_jax.data.sources import Arrays, Domain

CLASSES = tuple(str(digit) for digit in range(10))
SIZE = 32
TRAIN, TEST = 20_000, 2_000
VERSION = 1  # of the images; stored copies of another version are ignored
FACES = (
    *(f'DejaVuSans{style}' for style in ('', '-Bold', '-Oblique', '-BoldOblique')),
    *(f'DejaVuSansMono{style}' for style in ('', '-Bold', '-Oblique', '-BoldOblique')),
    *(f'DejaVuSerif{style}' for style in ('', '-Bold', '-Italic', '-BoldItalic')),
    *(f'STIXGeneral{style}' for style in ('', 'Bol', 'Italic', 'BolIta')),
    *('cmb10', 'cmr10', 'cmss10', 'cmti10', 'cmtt10'),
)

_CANVAS = 128  # side of the canvas for text, whose centre is cut out
_FINE = 2 * SIZE  # working resolution, halved at the end


def syn_digits(size: int, dirs: tuple[pathlib.Path, ...]) -> Domain:
    """20,000 train and 2,000 test (n, size, size, 3), stored ones or newly drawn."""
    path = stored(dirs)
    if path is not None:
        with np.load(path, allow_pickle=False) as file:
            pairs = [(file[f'{s}_x'], file[f'{s}_y']) for s in ('train', 'test')]
        parts = [Arrays(x, y.astype(np.int32), CLASSES) for x, y in pairs]
    else:
        parts = [generate(seed, n) for seed, n in enumerate((TRAIN, TEST))]
    parts = [Arrays(images.resize(p.image, size), p.label, CLASSES) for p in parts]
    return Domain('syn_digits', CLASSES, *parts)


def stored(dirs: tuple[pathlib.Path, ...]) -> pathlib.Path | None:
    """The path of stored images of this version, if there is one."""
    paths = files.find('syn_digits', dirs)
    return next((path for path in paths if path.name == _file_name()), None)


def save(folder: pathlib.Path) -> pathlib.Path:
    """Draws all images and stores them under the data folder `folder`."""
    train, test = (generate(seed, n) for seed, n in enumerate((TRAIN, TEST)))
    path = folder / 'syn_digits' / _file_name()
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        train_x=train.image,
        train_y=train.label,
        test_x=test.image,
        test_y=test.label,
    )
    return path


def generate(seed: int, n: int) -> Arrays:
    """Images 0..n-1 of a seed, (n, 32, 32, 3)."""
    image = np.empty((n, SIZE, SIZE, 3), np.uint8)
    label = np.empty(n, np.int32)
    for index in range(n):
        image[index], label[index] = draw(seed, index)
    return Arrays(image, label, CLASSES)


def draw(seed: int, index: int) -> tuple[np.ndarray, int]:
    """Image (32, 32, 3) uint8 number `index` of a seed, and its digit."""
    from PIL import Image, ImageFilter

    rng = np.random.default_rng([seed, index])
    label = int(rng.integers(10))
    fill, outline = _masks(label, rng)
    ground_colour, fill_colour, outline_colour = _colours(rng)
    picture = _background(ground_colour, rng)
    picture += outline[..., None] * (outline_colour - picture)
    picture += fill[..., None] * (_worn(fill_colour, rng) - picture)
    picture *= _light(rng)[..., None]
    blurred = Image.fromarray(picture.clip(0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(rng.uniform(0, 1.2) + 1.5 * rng.random() ** 3)
    )
    image = np.asarray(blurred.reduce(2), np.float32)
    image += rng.normal(0, rng.uniform(0, 8), image.shape)
    return np.rint(image).clip(0, 255).astype(np.uint8), label


def _masks(label: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Coverage in [0, 1] of the digits and of outline or shadow, (64, 64) each."""
    from PIL import Image, ImageDraw

    face = FACES[rng.integers(len(FACES))]
    font = _font(face, int(rng.integers(56, 73)))
    weight = int(rng.integers(0, 4))
    border = weight + (int(rng.integers(2, 7)) if rng.random() < 0.4 else 0)
    before, after = _neighbours(rng)
    middle = str(label)
    left, top, right, bottom = font.getbbox(middle)
    x, y = (_CANVAS - left - right) / 2, (_CANVAS - top - bottom) / 2
    spacing = rng.uniform(0, 8) + 2 * weight
    texts = [(x, middle)]
    if before:
        texts.append((x - spacing - font.getlength(before), before))
    if after:
        texts.append((x + spacing + font.getlength(middle), after))
    covers = {}
    for width in {weight, border}:
        covers[width] = Image.new('L', (_CANVAS, _CANVAS))
        pen = ImageDraw.Draw(covers[width])
        for start, text in texts:
            pen.text((start, y), text, font=font, fill=255, stroke_width=width)
    height = bottom - top
    matrix = _placement(height, rng)
    slip = rng.uniform(-0.1, 0.1, 2) * height if rng.random() < 0.15 else (0, 0)
    fill, outline = (
        covers[width].transform(
            (_FINE, _FINE),
            Image.Transform.AFFINE,
            _about_centre(matrix, move),
            Image.Resampling.BILINEAR,
        )
        for width, move in ((weight, (0, 0)), (border, slip))
    )
    scale = np.float32(1 / 255)
    return np.asarray(fill) * scale, np.asarray(outline) * scale


def _neighbours(rng: np.random.Generator) -> tuple[str, str]:
    """Digits before and after the middle one, '' where there is none."""
    before, after = (str(digit) for digit in rng.integers(10, size=2))
    length = rng.integers(1, 4)
    if length == 1:
        return '', ''
    if length == 2:
        return (before, '') if rng.random() < 0.5 else ('', after)
    return before, after


def _placement(height: float, rng: np.random.Generator) -> np.ndarray:
    """Matrix (2, 3) from positions in the image to those in the text, both centred."""
    angle = np.deg2rad(rng.normal(0, 7))
    shear = rng.normal(0, 0.12)
    tall = rng.uniform(0.6, 0.98) * _FINE / height
    wide = tall * np.exp(rng.normal(0.1, 0.22))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    forward = turn @ np.array([[wide, -shear * tall], [0, tall]])
    shift = rng.normal(0, 0.05, 2) * _FINE
    backward = np.linalg.inv(forward)
    return np.hstack([backward, -(backward @ shift)[:, None]])


def _about_centre(matrix: np.ndarray, move: tuple[float, float]) -> tuple[float, ...]:
    """The six numbers of Pillow's AFFINE, whose origin is in a corner."""
    rotation = matrix[:, :2]
    offset = matrix[:, 2] + _CANVAS / 2 - rotation @ np.full(2, _FINE / 2) - move
    return tuple(np.hstack([rotation, offset[:, None]]).ravel())


def _colours(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colours (3,) of ground, digits, outline; the digits contrast with the others."""
    fill = _colour(rng)
    others = []
    while len(others) < 2:
        colour = _colour(rng)
        if (
            np.abs(_grey(colour) - _grey(fill)) > 30
            and np.abs(colour - fill).sum() > 150
        ):
            others.append(colour)
    return others[0], fill, others[1]


def _colour(rng: np.random.Generator) -> np.ndarray:
    colour = rng.uniform(0, 255, 3)
    saturation = rng.uniform(0, 1.4)
    grey = _grey(colour)
    return (grey + saturation * (colour - grey)).clip(0, 255).astype(np.float32)


def _grey(colour: np.ndarray) -> float:
    return float(colour @ np.array([0.299, 0.587, 0.114]))


def _background(colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(64, 64, 3): plain, shaded, or in two parts."""
    ground = np.broadcast_to(colour, (_FINE, _FINE, 3)).copy()
    kind = rng.random()
    if kind < 0.4:
        ground += _smooth(rng, rng.uniform(5, 35))[..., None]
    elif kind < 0.55:
        part = _ramp(rng) > rng.uniform(0.3, 0.6)
        ground[part] += rng.uniform(-70, 70, 3).astype(np.float32)
    return ground


def _worn(colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(64, 64, 3): the colour of the digits, uneven in a quarter of the cases."""
    if rng.random() > 0.25:
        return np.broadcast_to(colour, (_FINE, _FINE, 3))
    return colour + _smooth(rng, rng.uniform(5, 40))[..., None]


def _light(rng: np.random.Generator) -> np.ndarray:
    """(64, 64): light that falls off towards one side."""
    return 1 + rng.uniform(0, 0.35) * (_ramp(rng) - rng.uniform(0.3, 1.0))


def _ramp(rng: np.random.Generator) -> np.ndarray:
    """(64, 64): from -1 to 1 in a random direction."""
    angle = rng.uniform(0, 2 * np.pi)
    axis = np.linspace(-1, 1, _FINE, dtype=np.float32)
    ramp = np.cos(angle) * axis[None] + np.sin(angle) * axis[:, None]
    return ramp / np.abs(ramp).max()


def _smooth(rng: np.random.Generator, strength: float) -> np.ndarray:
    """(64, 64): smooth noise with this standard deviation at its knots."""
    from PIL import Image

    knots = int(rng.integers(3, 17))
    noise = rng.normal(0, strength, (knots, knots)).astype(np.float32)
    picture = Image.fromarray(noise).resize((_FINE, _FINE), Image.Resampling.BICUBIC)
    return np.asarray(picture)


@functools.lru_cache(maxsize=512)
def _font(face: str, size: int):
    from PIL import ImageFont

    folder = importlib.util.find_spec('matplotlib').submodule_search_locations[0]
    path = pathlib.Path(folder) / 'mpl-data' / 'fonts' / 'ttf' / f'{face}.ttf'
    # The basic layout engine does not depend on a system library.
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def _file_name() -> str:
    return f'syn_digits_32x32_v{VERSION}.npz'
