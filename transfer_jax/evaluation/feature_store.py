"""Features of any number of images in .npy files, written batch by batch.

LAYER.npy       (n, ...), rows in the order of the images
progress.json   a digest of what is extracted, and the number of batches written
"""

import json
import os
import pathlib
from collections.abc import Mapping

import numpy as np

PROGRESS = 'progress.json'


class FeatureFolder:
    """A folder to which features are appended. An interrupted one can be resumed.

    A batch counts once progress.json counts it; a partly written batch is written
    again. Memory never holds more than the rows of one batch.

    Raises:
      ValueError: the folder holds other features, or cannot be written.
    """

    def __init__(self, path: str | os.PathLike, digest: str):
        self.path = pathlib.Path(path)
        self._state = {'digest': digest, 'batches': 0, 'complete': False, 'layers': {}}
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            names = sorted(file.name for file in self.path.iterdir())
        except OSError as error:
            raise ValueError(f'{self.path}: {error.strerror}') from None
        if PROGRESS in names:
            state = self._read()
            if state.get('digest') != digest:
                raise ValueError(
                    f'{self.path} holds features of other images, layers or '
                    'parameters; choose another folder, or remove it'
                )
            self._state = state
        elif any(name.endswith('.npy') for name in names):
            raise ValueError(
                f'{self.path} holds .npy files and no {PROGRESS}; choose another folder'
            )

    @property
    def batches(self) -> int:
        """The number of batches in the files."""
        return self._state['batches']

    @property
    def complete(self) -> bool:
        """Whether all batches are in the files."""
        return self._state['complete']

    def append(self, rows: Mapping[str, np.ndarray]) -> None:
        """Append the rows of one batch, {layer: (m, ...)}."""
        layers = dict(self._state['layers'])
        for layer, values in rows.items():
            written = layers.get(layer, {'rows': 0})['rows']
            layers[layer] = {
                'rows': written + len(values),
                'shape': list(values.shape[1:]),
                'dtype': values.dtype.str,
            }
            self._write(layer, written, np.ascontiguousarray(values))
        self._save(layers=layers, batches=self.batches + 1)

    def finish(self) -> None:
        """Mark the features as complete, and cut off rows that do not count."""
        for layer, written in self._state['layers'].items():
            shape = tuple(written['shape'])
            empty = np.empty((0, *shape), np.dtype(written['dtype']))
            self._write(layer, written['rows'], empty)
        self._save(complete=True)

    def read(self) -> dict[str, np.ndarray]:
        """{layer: (n, ...)}, mapped from the files and read-only."""
        return {
            layer: np.load(self._layer_path(layer), mmap_mode='r')
            for layer in self._state['layers']
        }

    def _layer_path(self, layer: str) -> pathlib.Path:
        return self.path / f'{layer.replace("/", ".")}.npy'

    def _write(self, layer: str, first: int, values: np.ndarray) -> None:
        """Write rows from row `first` on, and a header with the new number of rows."""
        path = self._layer_path(layer)
        header = np.lib.format.header_data_from_array_1_0(values)
        header['shape'] = (first + len(values), *values.shape[1:])
        path.touch()
        with open(path, 'r+b') as file:
            # NumPy pads the header, so the first axis can grow in place.
            np.lib.format.write_array_header_1_0(file, header)
            row = values.dtype.itemsize * int(np.prod(values.shape[1:]))
            file.seek(first * row, os.SEEK_CUR)
            file.truncate()
            file.write(values.tobytes())

    def _read(self) -> dict:
        path = self.path / PROGRESS
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError):
            raise ValueError(f'{path} cannot be read; remove {self.path}') from None

    def _save(self, **changes) -> None:
        self._state = {**self._state, **changes}
        part = self.path / f'{PROGRESS}.part'
        part.write_text(json.dumps(self._state, indent=1) + '\n')
        os.replace(part, self.path / PROGRESS)
