"""Putting data sets into the data folder, in the layout that the readers expect."""

import importlib.util
import pathlib
import shutil
from collections.abc import Callable

from transfer_jax.data import domains, files, signs, syn_digits, usps

Folder = pathlib.Path


def prepare(
    name: str, *, data_dir: str | None = None, unpacked: str | None = None
) -> list[Folder]:
    """Prepares a domain or one of its parts and returns where its files lie.

    They go into the first folder of the search path. `unpacked` is the folder with the
    publisher's unpacked files, for sets that cannot be fetched. What is there already
    is left as it is, except where `unpacked` is given. `tfds:NAME` prepares any set of
    tensorflow-datasets. Raises ValueError saying what is lacking.
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
    needs = (name,) if name in files.KNOWN else domains.NAMED[name].needs
    if source is not None and not set(needs) & set(_FROM_UNPACKED):
        raise ValueError(f'{name} is not prepared from a folder: leave out --from')
    places = []
    for needed in needs:
        takes = needed in _FROM_UNPACKED and source is not None
        # The only set that has several needs takes one folder: its photographs.
        if takes and (len(needs) == 1 or needed == 'bsds500'):
            _guard(dirs[0])
            _FROM_UNPACKED[needed](source, dirs[0])
        elif not _present(needed, dirs):
            if needed not in _FETCHED:
                raise files.MissingData(files.missing(needed, dirs))
            _guard(dirs[0])
            _FETCHED[needed](dirs[0])
        places.append(files.locate(needed, dirs)[0].parent)
    return places


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
    """Downloads with tensorflow-datasets and stores as array_record."""
    _guard(folder)
    try:
        import tensorflow_datasets as tfds

        builder = tfds.builder(name, data_dir=folder, file_format='array_record')
        builder.download_and_prepare()
    except Exception as error:  # whatever a download or an import can raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f'tfds {name}: could not be prepared ({reason}). It needs a network and '
            'TensorFlow, this once: pip install transfer-jax[prepare]'
        ) from error
    return pathlib.Path(builder.data_dir)


def _tfds_arrays(name: str, folder: Folder) -> Folder:
    """As `_tfds`, of a set which TensorFlow must encode: fails before the download."""
    if importlib.util.find_spec('tensorflow') is None:
        raise ValueError(
            f'tfds {name}: preparing it needs TensorFlow, this once: '
            'pip install transfer-jax[prepare]'
        )
    return _tfds(name, folder)


def _copy_mnist(source: Folder, folder: Folder) -> None:
    wanted = [pathlib.Path(name).name for name in files.KNOWN['mnist'].layouts[0]]
    absent = [name for name in wanted if not (source / name).is_file()]
    if absent:
        raise ValueError(f'{source}: lacks {", ".join(absent)}')
    (folder / 'mnist').mkdir(exist_ok=True)
    for name in wanted:
        shutil.copyfile(source / name, folder / 'mnist' / name)


def _copy_photographs(source: Folder, folder: Folder) -> None:
    """The training photographs only, as the usual recipe of MNIST-M takes them."""
    found = sorted(p for p in source.rglob('*.jpg') if p.parent.name == 'train')
    found = found or sorted(source.glob('*.jpg'))
    if not found:
        raise ValueError(f'{source}: holds no train/*.jpg')
    (folder / 'bsds500' / 'train').mkdir(parents=True, exist_ok=True)
    for path in found:
        shutil.copyfile(path, folder / 'bsds500' / 'train' / path.name)


def _to(name: str, convert: Callable[[Folder, Folder], None]) -> Callable:
    """Converts into the first layout of a known set, one file."""
    layout = files.KNOWN[name].layouts[0][0]
    return lambda source, folder: convert(source, folder / layout)


_FROM_UNPACKED: dict[str, Callable[[Folder, Folder], None]] = {
    'mnist': _copy_mnist,
    'bsds500': _copy_photographs,
    'usps': _to('usps', usps.convert),
    'gtsrb': _to('gtsrb', signs.convert_gtsrb),
    'syn_signs': _to('syn_signs', signs.convert_syn_signs),
}
_FETCHED: dict[str, Callable[[Folder], object]] = {
    'mnist': lambda folder: _tfds_arrays('mnist', folder),
    'svhn': lambda folder: _tfds_arrays('svhn_cropped', folder),
    'syn_digits': syn_digits.save,
}
