"""Random pictures, and files of them."""

import struct
import zlib

import numpy as np
from PIL import Image


def images(n=12, size=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(256, size=(n, size, size, 3), dtype=np.uint8)


def save(root, *names, size=6, **options):
    """Writes a random image, its own for each name, under each of the names."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = images(1, size, zlib.crc32(name.encode()))[0]
        Image.fromarray(picture).save(path, **options)


def png_of(width, height):
    """A PNG whose header alone says that it has so many pixels."""

    def chunk(kind, content):
        check = zlib.crc32(kind + content)
        return (
            struct.pack('>I', len(content)) + kind + content + struct.pack('>I', check)
        )

    header = struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)
    parts = [(b'IHDR', header), (b'IDAT', zlib.compress(b'\0')), (b'IEND', b'')]
    return b'\x89PNG\r\n\x1a\n' + b''.join(chunk(*part) for part in parts)
