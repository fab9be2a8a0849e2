"""A closed-form method on deep features, pretrained or fine-tuned on the source.

Published for other features, DeCAF6 (Office-Caltech10, 1-NN, mean of the 12 pairs;
Long et al. 2013 and later): no adaptation 71.1, PCA 81.7, JDA 88.2.

    python -m experiments.adaptation.deep_features
    python -m experiments.adaptation.deep_features --config.features fine_tuned
    python -m experiments.adaptation.deep_features --config.method none

Features are those below the classifier, each of length 1. For fine_tuned the source
only run of experiments.adaptation.photos with the same settings is made first, or
found where it was made. Protocol: experiments/tasks/photo_pairs.py; the test is on all
images of the target, which the fit saw without labels.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from experiments.adaptation import photos
from experiments.shallow import recipes
from experiments.tasks import encoders, feature_pairs, photo_pairs
from transfer_jax import cli, ops, runs, shallow
from transfer_jax.data import features

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
    """A closed-form method on the features of a network."""

    method: str = 'subspace_alignment'
    """none, pca, subspace_alignment, gfk, tca, tjm, jda, coral, ot_exact, ot_entropic
    or ot_group_lasso; other settings than `dimension` are those of
    experiments/shallow/recipes.py."""
    features: str = 'pretrained'
    """pretrained, or fine_tuned on the source."""
    classifier: str = 'nearest_neighbour'
    """nearest_neighbour or linear_svm."""
    source: str = 'office_amazon'
    """office_amazon, office_caltech10, office_dslr, office_webcam, a domain of PACS
    (pacs_photo, ...), or folder:PATH."""
    target: str = 'office_webcam'
    """The same for the target."""
    backbone: str = 'squeezenet'
    """A pretrained network, see transfer_jax/recipes/backbones.py."""
    size: int = 96
    """Side of the images in pixels."""
    dimension: int = 40
    """Of the subspaces."""
    seeds: int = 2
    steps: int = 300
    """Of the fine-tuning."""


def build(config: Config) -> runs.Experiment:
    """The experiment of a config."""
    for name, known in (
        ('method', METHODS),
        ('features', FEATURES),
        ('classifier', CLASSIFIERS),
    ):
        value = getattr(config, name)
        if value not in known:
            raise ValueError(f'no {name} {value!r}; choose from {", ".join(known)}')
    task = _task(config)
    classes = photo_pairs.count_classes(config.source)
    recipe = recipes.RECIPES[config.method]
    setting = dict(recipe.settings[0])
    if 'dimension' in setting:
        setting['dimension'] = config.dimension
    pipeline = shallow.pipeline(
        recipe.build(classes, **setting), CLASSIFIERS[config.classifier](classes)
    )
    return runs.Experiment(
        name='adaptation.deep_features',
        config=config,
        arm=config.method,
        task=name_of(config),
        seeds=tuple(range(config.seeds)),
        data=lambda seed, data_dir: load(config, task, seed, data_dir),
        held_out=feature_pairs.held_out,
        closed_form=feature_pairs.closed_form(pipeline),
        fast=config == fast(),
    )


def name_of(config: Config) -> str:
    """What a table calls the task: the pair, the features, the classifier."""
    name = f'{_task(config)}, {config.features}, {config.classifier}'
    return name.replace('_', ' ')


def load(
    config: Config, task: photo_pairs.Task, seed: int, data_dir: str | None
) -> feature_pairs.Pair:
    """The features of both domains."""
    pair = photo_pairs.load(task, seed, data_dir)
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


def _task(config) -> photo_pairs.Task:
    return photo_pairs.Task(
        config.source, config.target, config.backbone, config.size, 0
    )


def _fine_tuned(config, pair, data_dir) -> encoders.Encoder:
    """The encoder after the run of source only, which is made where it is not there."""
    first = photos.build(
        photos.Config(
            method='source_only',
            source=config.source,
            target=config.target,
            backbone=config.backbone,
            size=config.size,
            seeds=config.seeds,
            steps=config.steps,
        )
    )
    place = cli.default_folder(first)
    runs.run(first, place, data_dir=data_dir)
    state = runs.restore(first, place, pair.seed, pair)
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
