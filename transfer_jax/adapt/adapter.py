"""DomainAdapter: a classifier for the target, in the manner of scikit-learn."""

import contextlib
import dataclasses
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from transfer_jax import data, runs
from transfer_jax.adapt import experiment, own_backbone, photographs, plan, reading
from transfer_jax.cli import classifier, export, launch
from transfer_jax.recipes import encoders

Pictures = np.ndarray | Sequence[str | pathlib.Path] | str | pathlib.Path


class DomainAdapter(ClassifierMixin, TransformerMixin, BaseEstimator):
    """Trains a classifier for target images from labelled images of another domain.

    >>> import transfer_jax as tj
    >>> adapter = tj.DomainAdapter(method='dann')
    >>> adapter.fit(images, labels, target_images)  # doctest: +SKIP
    >>> adapter.predict(target_images)  # doctest: +SKIP

    Images are an array (n, h, w, 3) uint8, paths of files, or a folder. They are
    resized and normalised as the network needs; give them as they are.

    Args:
      method: a name of transfer_jax.recipes, such as 'mcc', 'dann' or 'source_only'; or
        a function (encoder, classifier, *, txs) -> method, such as
        functools.partial(tj.methods.mcc, weight=0.5).
      backbone: a name of transfer_jax.recipes.backbones; or (module, variables,
        (mean, std)), a Flax module that maps (image / 255 - mean) / std to features,
        and its {'params': ..., ...}, see adapt.own_backbone. None: the best of the
        weights in the data folder, else a small network from random weights.
      weight: of the loss that the method adds; None: 10 for MCC, the published one for
        others.
      size: side in pixels that images are resized to; None: that of the network, on
        CPU at most 96.
      norm: batch-norm policy, a key of recipes.networks.NORMS; None: separate
        statistics where the network has norm layers.
      steps, batch: None: from the numbers of images, see adapt.plan.resolve.
      rate, encoder_rate: Adam's rate of the new layers at the start, and that of the
        pretrained ones over it.
      augment: flip and zoom into training images at random.
      random_state: the seed of initial weights and batches.
      run_dir: a folder for the run, so that the same call resumes it; for names only,
        because a function cannot be recognised. None: a temporary one.
      data_dir: where to look for weights; None: $TRANSFER_JAX_DATA.

    Attributes:
      classes_: (c,) labels, sorted.
      config_: the config that was trained, with every choice made.
      result_: the content of result.json.
      model_: the trained model, as tj.load returns it.
    """

    def __init__(
        self,
        method: str | Callable[..., Any] = experiment.DEFAULT,
        backbone: str | own_backbone.OwnBackbone | None = None,
        *,
        weight: float | None = None,
        size: int | None = None,
        norm: str | None = None,
        steps: int | None = None,
        batch: int | None = None,
        rate: float = 1e-3,
        encoder_rate: float | None = None,
        augment: bool | data.transforms.Transform = True,
        random_state: int = 0,
        run_dir: str | pathlib.Path | None = None,
        data_dir: str | None = None,
    ):
        self.method = method
        self.backbone = backbone
        self.weight = weight
        self.size = size
        self.norm = norm
        self.steps = steps
        self.batch = batch
        self.rate = rate
        self.encoder_rate = encoder_rate
        self.augment = augment
        self.random_state = random_state
        self.run_dir = run_dir
        self.data_dir = data_dir

    def fit(self, images: Pictures, labels, target_images: Pictures):
        """Trains on labelled source images and unlabelled target images.

        Args:
          images: of the source.
          labels: (n,) of any type that sorts; None for a folder with a folder for
            each class, or a .csv with the columns file,label.
          target_images: without labels.

        Raises:
          ValueError: images or labels that cannot be used, fewer than two classes, or
            an unknown name; the message lists the choices.
          MissingData: the weights of the named backbone are not in the data folder.
        """
        if self.run_dir is not None and (self._own() or callable(self.augment)):
            raise ValueError(
                'run_dir: a network, method or transform of your own has no name by '
                'which its run could be resumed; leave run_dir out'
            )
        images, labels = _labelled(images, labels, self.data_dir)
        names, codes = _codes(labels)
        counts = plan.Counts(
            reading.count(images), reading.count(target_images), len(names)
        )
        if len(codes) != counts.source:
            raise ValueError(
                f'{counts.source} images need as many labels, not {len(codes)}'
            )
        config, given = self._config(counts)
        parts = {
            'source': reading.Decoded(
                reading.read(images, config.size), (), codes.astype(np.int32)
            ),
            'target': reading.Decoded(reading.read(target_images, config.size), ()),
        }
        config = dataclasses.replace(config, images=reading.described(parts))
        encoder, classes = self._encoder(config), tuple(map(str, names))

        def load(seed):
            return photographs.of_run(seed, classes, parts, encoder)

        built = experiment.build(config, load, given)._replace(
            seeds=(self.random_state,)
        )
        with _folder(self.run_dir) as run_dir:
            self.result_ = runs.run(built, run_dir)
            model = runs.load_model(run_dir, seed=self.random_state, experiment=built)
            self._about, self._picked = _written(run_dir, built, model)
        self.model_ = classifier.Classifier(model)
        self.classes_, self.config_ = names, config
        return self

    def predict(self, images: Pictures) -> np.ndarray:
        """(n,) labels of target images."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(images).argmax(-1)]

    def predict_proba(self, images: Pictures) -> np.ndarray:
        """(n, c) class probabilities of target images, not calibrated."""
        check_is_fitted(self)
        return self.model_.probabilities(images)

    def transform(self, images: Pictures) -> np.ndarray:
        """(n, d) features of target images, below the classifier."""
        check_is_fitted(self)
        return self.model_.transform(images)

    def fit_transform(self, images: Pictures, labels, target_images: Pictures):
        """Fits, and returns the features (n, d) of the target images."""
        return self.fit(images, labels, target_images).transform(target_images)

    def save(self, folder: str | pathlib.Path) -> pathlib.Path:
        """Writes a model folder, which tj.load and experiments.predict read.

        Raises:
          ValueError: the network or the method is a function of your own, which no
            file can name.
        """
        check_is_fitted(self)
        if self._own():
            raise ValueError(
                'a network or a method of your own cannot be written to a model '
                'folder, which names them; give both by name, or use export(file)'
            )
        folder = pathlib.Path(folder)
        runs.model_folder.write(folder, self._about, self._picked)
        return folder

    def export(self, file: str | pathlib.Path) -> pathlib.Path:
        """Writes one program for CPU, CUDA and TPU, see cli.export and docs/models.md.

        Raises:
          ValueError: flatbuffers is not installed, or the file cannot be written.
        """
        check_is_fitted(self)
        file = pathlib.Path(file)
        export.write(self.model_.model, file)
        return file

    def _own(self) -> bool:
        """Whether the network or the method has no name."""
        return not (
            isinstance(self.method, str) and isinstance(self.backbone or '', str)
        )

    def _config(self, counts) -> tuple[experiment.Config, experiment.Given]:
        own_method = None if isinstance(self.method, str) else self.method
        own = None if isinstance(self.backbone or '', str) else self.backbone
        if own is not None:
            own = own_backbone.checked(own)
        if not (callable(self.augment) or isinstance(self.augment, bool | np.bool_)):
            raise ValueError(
                f'augment is {self.augment!r}: give True, False, or a transform (item, '
                'rng) -> item as in transfer_jax.data.transforms'
            )
        asked = experiment.Config(
            method='source_only' if own_method else self.method,
            backbone=encoders.SMALL if own else self.backbone,
            size=self.size,
            norm='none' if own and self.norm is None else self.norm,
            steps=self.steps,
            batch=self.batch,
            rate=self.rate,
            encoder_rate=self.encoder_rate,
            weight=self.weight,
            augment=bool(self.augment),
        )
        config = plan.resolve(asked, counts, self.data_dir)
        launch.check_config(config)
        transform = self.augment if callable(self.augment) else None
        given = experiment.Given(own[0] if own else None, own_method, transform)
        return config, given

    def _encoder(self, config) -> encoders.Encoder:
        if isinstance(self.backbone or '', str):
            return encoders.load(config.backbone, self.data_dir, config.domains)
        _, variables, (mean, std) = own_backbone.checked(self.backbone)
        rest = {k: v for k, v in variables.items() if k != 'params'}
        mean, std = (np.asarray(part, np.float32) for part in (mean, std))
        return encoders.Encoder(variables['params'], rest, mean, std)


def _labelled(images, labels, data_dir):
    """(images, labels); those of a folder or a .csv are listed where labels is None."""
    if labels is not None:
        return images, labels
    if not isinstance(images, str | pathlib.Path):
        raise ValueError(
            'labels is None: give a label for each image, or as images a folder with a '
            'folder for each class'
        )
    found = reading.labelled(str(images), reading.Options(data_dir=data_dir))
    if not found.files:
        raise ValueError(f'{images}: give a folder or a .csv, or images and labels')
    return found.files, np.array(found.classes)[found.label]


def _codes(labels) -> tuple[np.ndarray, np.ndarray]:
    """(sorted names, number of each label)."""
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(f'labels must have one axis, not the shape {labels.shape}')
    if labels.dtype.kind == 'f' and np.isnan(labels).any():
        raise ValueError('labels has NaN: leave out the images without a label')
    return np.unique(labels, return_inverse=True)


def _written(run_dir, built, model):
    """What the folder of a model holds: its model.json, and the state."""
    path = runs.model_folder.rule_dir(run_dir, model.seed, model.rule)
    about = runs.model_folder.read(path)
    state = runs.model_folder.read_state(path, about)
    method = built.stages[-1].method
    return about, runs.model_folder.Picked(model.rule, model.step, method, state)


@contextlib.contextmanager
def _folder(run_dir: str | pathlib.Path | None) -> Iterator[pathlib.Path]:
    """The folder of a run; a temporary one for None."""
    if run_dir is not None:
        yield pathlib.Path(run_dir)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield pathlib.Path(folder) / 'run'
