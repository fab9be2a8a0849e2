"""Small files in the published layouts of zero-shot learning, below a data folder."""

import pathlib

import numpy as np

ANIMALS = ('antelope', 'grizzly+bear', 'killer+whale', 'Collie', 'polar+bear', 'rat')
WORDS = (
    *('dog', 'elephant', 'giraffe', 'guitar', 'horse', 'house', 'person', 'grand'),
    *('piano', 'bear', 'grizzly', 'polar', 'whale', 'antelope', 'killer', 'rat'),
)


def zsl_cub_subset(root: pathlib.Path, classes: int = 20, d: int = 24) -> None:
    """The features, attributes and splits of CUB, with fewer classes and images."""
    rng = np.random.default_rng(0)
    folder = root / 'zsl/cub'
    folder.mkdir(parents=True, exist_ok=True)
    names = [f'{i + 1:03}.Bird_{chr(97 + i)}_of-Prey' for i in range(classes)]
    unseen = np.arange(3, classes, 4)
    seen = np.setdiff1d(np.arange(classes), unseen)
    lines = [f'{i + 1} {name}' for i, name in enumerate(names)]
    (folder / 'classes.txt').write_text('\n'.join(lines))
    for file, numbers in (('trainval', seen), ('test', unseen)):
        text = '\n'.join(names[i] for i in rng.permutation(numbers))
        (folder / f'{file}classes.txt').write_text(text)
    attributes = rng.uniform(0, 100, (classes, 12))
    np.savetxt(folder / 'class_attributes.txt', attributes)
    listed = [f'{i + 1} has_part::kind_{i}' for i in range(12)]
    (folder / 'attributes.txt').write_text('\n'.join(listed))
    y = np.repeat(np.arange(classes), 8).astype(np.uint8)
    split = np.where(np.isin(y, unseen), 2, np.tile([0, 0, 0, 0, 0, 0, 1, 1], classes))
    z = (attributes - attributes.mean(0)) / 30
    x = z[y] @ rng.normal(size=(12, d)) + rng.normal(0, 1, (len(y), d))
    np.savez(
        folder / 'cub_resnet_fc1000_f16_subset.npz',
        x=x.astype(np.float16),
        y=y,
        split=split.astype(np.uint8),
    )
    order = rng.permutation(classes)
    sentences = np.tanh(0.1 * z @ rng.normal(size=(12, 16)))
    _mat(
        folder / 'sent_splits.mat',
        [names[i] for i in order],
        {'att': sentences[order].T},
        *([1, 2], [3], [4]),
    )


def xlsa17(root: pathlib.Path, name: str = 'AWA2') -> None:
    """A proposed split with features, 10 images of each of 6 animals."""
    rng = np.random.default_rng(1)
    folder = root / f'xlsa17/data/{name}'
    folder.mkdir(parents=True, exist_ok=True)
    label = np.repeat(np.arange(6), 10)
    rated = rng.integers(0, 100, (7, 6)).astype(float)
    rated[:2, 0] = -1  # nobody rated them
    rows = np.arange(60) + 1
    seen = label < 4
    test = seen & (rows % 5 == 0)
    _mat(
        folder / 'att_splits.mat',
        ANIMALS,
        {'att': rated / np.linalg.norm(rated, axis=0), 'original_att': rated},
        *(rows[seen & ~test], rows[test], rows[~seen]),
    )
    from scipy import io

    x = rng.normal(size=(60, 16)) + rng.normal(size=(6, 16))[label]
    io.savemat(folder / 'res101.mat', {'features': x.T, 'labels': (label + 1)[:, None]})


def word_vectors(root: pathlib.Path, words=WORDS, d: int = 8) -> None:
    """Vectors of some words, and the mean of others."""
    rng = np.random.default_rng(2)
    (root / 'zsl').mkdir(parents=True, exist_ok=True)
    np.savez(
        root / 'zsl/glove_6b_50d_words.npz',
        names=np.array(words),
        vectors=rng.normal(0.5, 1, (len(words), d)).astype(np.float32),
        mean_of_20000=np.full(d, 0.5, np.float32),
    )


def _mat(path, names, fields, train, test_seen, test_unseen) -> None:
    from scipy import io

    entries = np.empty((len(names), 1), object)
    entries[:, 0] = [np.array([name]) for name in names]
    rows = {
        'trainval_loc': train,
        'test_seen_loc': test_seen,
        'test_unseen_loc': test_unseen,
    }
    columns = {k: np.array(v, np.uint16)[:, None] for k, v in rows.items()}
    io.savemat(path, {'allclasses_names': entries, **fields, **columns})
