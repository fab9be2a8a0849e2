"""A shallow method on deep features, pretrained or fine-tuned on the source.

Published for other features, DeCAF6 (Office-Caltech10, 1-NN, mean of the 12 pairs;
Long et al. 2013 and later): no adaptation 71.1, PCA 81.7, JDA 88.2.

    python -m experiments.adaptation.deep_features
    python -m experiments.adaptation.deep_features --config.features fine_tuned
    python -m experiments.adaptation.deep_features --config.method none

Features are the encoder's outputs, each scaled to length 1. With fine_tuned, the
encoder is that of source_only in experiments.adaptation.photos with the same settings;
this run is made first, unless its folder is there already. Protocol:
experiments/tasks/photo_pairs.py. The test is on all target images, which the fit saw
without labels.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from experiments.adaptation import photos
from experiments.shallow import recipes
from experiments.tasks import choices, feature_pairs, photo_pairs
from transfer_jax import cli, evaluation, metrics, ops, runs, shallow
from transfer_jax.data import features
from transfer_jax.recipes import encoders

METHODS = (
    *('none', 'pca', 'subspace_alignment', 'gfk', 'tca', 'tjm', 'jda', 'coral'),
    *('ot_exact', 'ot_entropic', 'ot_group_lasso'),
)
CLASSIFIERS = {
    'nearest_neighbour': shallow.nearest_neighbour,
    'linear_svm': shallow.linear_svm,
}
FEATURES = ('pretrained', 'fine_tuned')


@dataclasses.dataclass(frozen=True)
class Config:
    """A shallow method on the features of a network."""

    method: str = 'subspace_alignment'
    """none, pca, subspace_alignment, gfk, tca, tjm, jda, coral, ot_exact, ot_entropic
    or ot_group_lasso; all settings but `dimension` are those of
    experiments/shallow/recipes.py."""
    features: str = 'pretrained'
    """pretrained, or fine_tuned on the source."""
    classifier: str = 'nearest_neighbour'
    """nearest_neighbour or linear_svm."""
    source: str = 'office_amazon'
    """A domain listed by `python -m experiments.data list`, folder:PATH, npz:PATH or
    tfds:NAME."""
    target: str = 'office_webcam'
    """The same for the target."""
    backbone: str = 'squeezenet'
    """A pretrained network, see transfer_jax/recipes/backbones.py."""
    size: int = 96
    """Side of the images in pixels."""
    dimension: int = 40
    """Dimension of the subspaces."""
    seeds: int = 2
    steps: int = 300
    """Steps of fine-tuning."""
    classes: int = 0
    """Number of classes; by default read from the domain."""


def build(config: Config) -> runs.Study:
    """The study of a config: one trial for each seed."""
    choices.check('method', config.method, METHODS)
    choices.check('features', config.features, FEATURES)
    choices.check('classifier', config.classifier, CLASSIFIERS)
    photo_pairs.classes_of(config.source, config.classes)  # raises for other domains
    encoders.build(config.backbone)  # and for an unknown network
    return runs.Study(
        name='adaptation.deep_features',
        config=config,
        task=name_of(config),
        trials=tuple(
            {'method': config.method, 'seed': seed} for seed in range(config.seeds)
        ),
        prepare=lambda data_dir: functools.partial(load, config, data_dir=data_dir),
        measure=functools.partial(measure, _pipeline(config)),
        fast=config == fast(),
    )


def measure(
    pipeline: shallow.Pipeline,
    load: Callable[[int], feature_pairs.Pair],
    trial: Mapping[str, Any],
) -> dict[str, float]:
    """Accuracy on all target images, with the features of one seed."""
    pair = load(trial['seed'])
    fitted = feature_pairs.fit(pipeline, jax.random.key(trial['seed']), pair)
    predict = jax.tree_util.Partial(pipeline.predict, fitted)
    test = feature_pairs.held_out(pair).target_test
    result = evaluation.evaluate(predict, test, metrics.accuracy())
    return {'accuracy': result['accuracy'], 'images': result['count']}


def name_of(config: Config) -> str:
    """The name of the task in tables: pair, features, classifier."""
    name = f'{_task(config)}, {config.features}, {config.classifier}'
    return name.replace('_', ' ')


def load(config: Config, seed: int, data_dir: str | None) -> feature_pairs.Pair:
    """The features of both domains for a seed."""
    pair = photo_pairs.load(_task(config), seed, data_dir)
    encoder = pair.encoder
    if config.features == 'fine_tuned':
        encoder = _fine_tuned(config, pair, data_dir)

    def extract(image):
        x = encoders.extract(config.backbone, encoder, image)
        return np.asarray(ops.l2_normalise(x))

    def labelled(part):
        return features.Features(extract(part.image), part.label, part.classes)

    source, target = labelled(pair.source), labelled(pair.target_test)
    return feature_pairs.Pair(
        source,
        np.ones(len(source), np.float32),
        labelled(pair.source_validation),
        features.Unlabelled(target.x),
        target,
    )


def _pipeline(config) -> shallow.Pipeline:
    classes = photo_pairs.classes_of(config.source, config.classes)
    recipe = recipes.RECIPES[config.method]
    setting = dict(recipe.settings[0])
    if 'dimension' in setting:
        setting['dimension'] = config.dimension
    return shallow.pipeline(
        recipe.build(classes, **setting), CLASSIFIERS[config.classifier](classes)
    )


def _task(config) -> photo_pairs.Task:
    return photo_pairs.Task(
        config.source, config.target, config.backbone, config.size, 0
    )


def _fine_tuned(config, pair, data_dir) -> encoders.Encoder:
    """The encoder fine-tuned on the source; trains it unless its run is there."""
    source_only = photos.build(
        photos.Config(
            method='source_only',
            source=config.source,
            target=config.target,
            backbone=config.backbone,
            size=config.size,
            seeds=config.seeds,
            steps=config.steps,
            classes=config.classes,
        )
    )
    run_dir = cli.default_folder(source_only)
    runs.run(source_only, run_dir, data_dir=data_dir)
    state = runs.restore(source_only, run_dir, pair.seed, pair)
    return pair.encoder._replace(
        params=state.params['encoder'], model_state=state.model_state['encoder']
    )


def sweep() -> Iterator[Config]:
    """Every method on both kinds of features, on the two pairs."""
    for source, target in photos.PAIRS:
        for kind in FEATURES:
            for method in METHODS:
                yield Config(method, kind, source=source, target=target)


def fast() -> Config:
    """A run of seconds on generated images."""
    return Config(
        source='fake',
        target='fake_shifted',
        backbone='tiny',
        size=32,
        dimension=3,
        seeds=1,
    )


if __name__ == '__main__':
    cli.main(Config, build)
