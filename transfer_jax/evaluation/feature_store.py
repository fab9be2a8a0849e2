"""Features of any number of images in .npy files, written batch by batch.

LAYER.npy       (n, ...), rows in the order of the images
progress.json   what is extracted (a digest), how far it is
"""

import json
import os
import pathlib
from collections.abc import Mapping

import numpy as np

PROGRESS = 'progress.json'


class FeatureFolder:
    """A folder that features are appended to; one that was left half-way goes on.

    A batch counts once progress.json says so: rows of a batch that was cut short are
    written again. Only the rows of one batch are ever in memory.

    Raises:
      ValueError: the folder holds features of something else, or cannot be written.
    """

    def __init__(self, place: str | os.PathLike, digest: str):
        self.place = pathlib.Path(place)
        self._state = {'digest': digest, 'batches': 0, 'complete': False, 'layers': {}}
        try:
            self.place.mkdir(parents=True, exist_ok=True)
            found = sorted(path.name for path in self.place.iterdir())
        except OSError as error:
            raise ValueError(f'{self.place}: {error.strerror}') from None
        if PROGRESS in found:
            state = self._read()
            if state.get('digest') != digest:
                raise ValueError(
                    f'{self.place} holds features of other images, layers or '
                    'parameters; choose another folder, or remove it'
                )
            self._state = state
        elif any(name.endswith('.npy') for name in found):
            raise ValueError(
                f'{self.place} holds .npy files and no {PROGRESS}; choose another '
                'folder'
            )

    @property
    def batches(self) -> int:
        """How many batches are in the files."""
        return self._state['batches']

    @property
    def complete(self) -> bool:
        """Whether that is all."""
        return self._state['complete']

    def append(self, rows: Mapping[str, np.ndarray]) -> None:
        """Add the rows of one batch, {layer: (m, ...)}."""
        layers = dict(self._state['layers'])
        for layer, values in rows.items():
            known = layers.get(layer, {'rows': 0})
            layers[layer] = {
                'rows': known['rows'] + len(values),
                'shape': list(values.shape[1:]),
                'dtype': values.dtype.str,
            }
            self._write(layer, known['rows'], np.ascontiguousarray(values))
        self._save(layers=layers, batches=self.batches + 1)

    def finish(self) -> None:
        """Say that nothing is to come, and cut off what does not count."""
        for layer, known in self._state['layers'].items():
            shape = tuple(known['shape'])
            empty = np.empty((0, *shape), np.dtype(known['dtype']))
            self._write(layer, known['rows'], empty)
        self._save(complete=True)

    def read(self) -> dict[str, np.ndarray]:
        """{layer: (n, ...)}, mapped from the files and read-only."""
        return {
            layer: np.load(self._path(layer), mmap_mode='r')
            for layer in self._state['layers']
        }

    def _path(self, layer: str) -> pathlib.Path:
        return self.place / f'{layer.replace("/", ".")}.npy'

    def _write(self, layer: str, first: int, values: np.ndarray) -> None:
        """Put rows from row `first` on, with a header that counts them."""
        path = self._path(layer)
        header = np.lib.format.header_data_from_array_1_0(values)
        header['shape'] = (first + len(values), *values.shape[1:])
        path.touch()
        with open(path, 'r+b') as file:
            # NumPy leaves room in the header for the first axis to grow.
            np.lib.format.write_array_header_1_0(file, header)
            row = values.dtype.itemsize * int(np.prod(values.shape[1:]))
            file.seek(first * row, os.SEEK_CUR)
            file.truncate()
            file.write(values.tobytes())

    def _read(self) -> dict:
        path = self.place / PROGRESS
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError):
            raise ValueError(f'{path} cannot be read; remove {self.place}') from None

    def _save(self, **changes) -> None:
        self._state = {**self._state, **changes}
        part = self.place / f'{PROGRESS}.part'
        part.write_text(json.dumps(self._state, indent=1) + '\n')
        os.replace(part, self.place / PROGRESS)
