"""Prepares data sets in the data folder, in the layout that the readers expect."""

import importlib.util
import pathlib
import shutil
from collections.abc import Callable

from transfer_jax.data import domains, files, signs, syn_digits, usps

Folder = pathlib.Path


def prepare(
    name: str, *, data_dir: str | None = None, unpacked: str | None = None
) -> list[Folder]:
    """Prepares a domain or a data set, and returns the folders of its files.

    Files go into the first folder of the search path. Existing files are kept, unless
    `unpacked` is given. `tfds:NAME` prepares any set of tensorflow-datasets.

    Args:
      unpacked: a folder with the publisher's unpacked files, for sets that cannot be
        downloaded.

    Raises:
      ValueError: the message says what is missing.
    """
    dirs = files.data_dirs(data_dir)
    source = None if unpacked is None else pathlib.Path(unpacked).expanduser()
    if source is not None and not source.is_dir():
        raise ValueError(f'{source}: there is no such folder')
    if name.startswith('tfds:'):
        return [_tfds(name.removeprefix('tfds:'), dirs[0])]
    if name not in files.KNOWN and name not in domains.NAMED:
        choices = ', '.join(dict.fromkeys([*domains.NAMED, *files.KNOWN]))
        raise ValueError(f'unknown data set {name!r}; choose from {choices}, tfds:NAME')
    needs = (name,) if name in files.KNOWN else domains.NAMED[name].data_sets
    if source is not None and not set(needs) & set(_FROM_UNPACKED):
        raise ValueError(f'{name} is not prepared from a folder: leave out --from')
    folders = []
    for needed in needs:
        convertible = needed in _FROM_UNPACKED and source is not None
        # Only MNIST-M needs several sets; its folder holds the photographs.
        if convertible and (len(needs) == 1 or needed == 'bsds500'):
            _guard(dirs[0])
            _FROM_UNPACKED[needed](source, dirs[0])
        elif not _present(needed, dirs):
            if needed not in _FETCHED:
                raise files.MissingData(files.missing(needed, dirs))
            _guard(dirs[0])
            _FETCHED[needed](dirs[0])
        folders.append(files.locate(needed, dirs)[0].parent)
    return folders


def _present(name: str, dirs: tuple[Folder, ...]) -> bool:
    if name == 'syn_digits':
        return syn_digits.stored(dirs) is not None
    return bool(files.find(name, dirs))


def _guard(folder: Folder) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / '.probe'
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ValueError(
            f'{folder}: the data folder cannot be written ({error.strerror}); choose '
            'another with --data-dir'
        ) from None


def _tfds(name: str, folder: Folder) -> Folder:
    """Downloads a set with tensorflow-datasets and stores it as array_record."""
    _guard(folder)
    try:
        import tensorflow_datasets as tfds

        builder = tfds.builder(name, data_dir=folder, file_format='array_record')
        builder.download_and_prepare()
    except Exception as error:  # whatever a download or an import can raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f'tfds {name}: could not be prepared ({reason}). Preparing it once needs a '
            'network and TensorFlow: pip install transfer-jax[prepare]'
        ) from error
    return pathlib.Path(builder.data_dir)


def _tfds_arrays(name: str, folder: Folder) -> Folder:
    """As `_tfds`, for sets that TensorFlow must encode; fails early without it."""
    if importlib.util.find_spec('tensorflow') is None:
        raise ValueError(
            f'tfds {name}: preparing it once needs TensorFlow: '
            'pip install transfer-jax[prepare]'
        )
    return _tfds(name, folder)


def _copy_mnist(source: Folder, folder: Folder) -> None:
    wanted = [pathlib.Path(name).name for name in files.KNOWN['mnist'].layouts[0]]
    missing = [name for name in wanted if not (source / name).is_file()]
    if missing:
        raise ValueError(f'{source}: has no {", ".join(missing)}')
    (folder / 'mnist').mkdir(exist_ok=True)
    for name in wanted:
        shutil.copyfile(source / name, folder / 'mnist' / name)


def _copy_photographs(source: Folder, folder: Folder) -> None:
    """Copies the training photographs only, as in the usual recipe of MNIST-M."""
    paths = sorted(p for p in source.rglob('*.jpg') if p.parent.name == 'train')
    paths = paths or sorted(source.glob('*.jpg'))
    if not paths:
        raise ValueError(f'{source}: holds no train/*.jpg')
    (folder / 'bsds500' / 'train').mkdir(parents=True, exist_ok=True)
    for path in paths:
        shutil.copyfile(path, folder / 'bsds500' / 'train' / path.name)


def _into_layout(name: str, convert: Callable[[Folder, Folder], None]) -> Callable:
    """Converts to the single file of the first layout of a known set."""
    layout = files.KNOWN[name].layouts[0][0]
    return lambda source, folder: convert(source, folder / layout)


_FROM_UNPACKED: dict[str, Callable[[Folder, Folder], None]] = {
    'mnist': _copy_mnist,
    'bsds500': _copy_photographs,
    'usps': _into_layout('usps', usps.convert),
    'gtsrb': _into_layout('gtsrb', signs.convert_gtsrb),
    'syn_signs': _into_layout('syn_signs', signs.convert_syn_signs),
}
_FETCHED: dict[str, Callable[[Folder], object]] = {
    'mnist': lambda folder: _tfds_arrays('mnist', folder),
    'svhn': lambda folder: _tfds_arrays('svhn_cropped', folder),
    'syn_digits': syn_digits.save,
}
