"""Classes and places of objects on published splits: WILDCAT, WELDON, other poolings.

Published, mAP of classification on VOC 2007, VOC 2012 and COCO: WELDON with VGG-16
90.2, 88.5 and 68.8 (Durand et al., CVPR 2016), WILDCAT with ResNet-101 95.0, 93.4 and
80.7 (Durand et al., CVPR 2017). Users of WILDCAT's demo reached 93.4 and 91.2 on VOC
2007 (issue 9 of its repository). Pointwise localisation on VOC 2012 and COCO: Oquab et
al. (CVPR 2015) 74.5 and 41.2, ProNet (Sun et al., CVPR 2016) 77.7 and 46.4, WILDCAT
82.9 and 53.4. The papers' numbers are quoted, not checked in their tables. Nothing was
measured here on these data.

    python -m experiments.localization.multi_label
    python -m experiments.localization.multi_label --config.data voc2012

Training reads images and the classes in them, never a box. It is on trainval of VOC
2007 and train of VOC 2012 and COCO 2014; the test, once at the last step, on test or
val. Images are stretched to squares. The columns are those of
experiments.localization.fruit. PUBLISHED has the settings of the papers.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from experiments.localization import (
    measures,
    paired,
    pixels,
    poolings,
    schedule,
    trunk,
)
from experiments.tasks import annotated_parts, domain_specs
from transfer_jax import cli, data, losses, runs
from transfer_jax.reports import overlays

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CENTRE = schedule.CENTRE
SHOWN = 5  # images of a report


@dataclasses.dataclass(frozen=True)
class Config(schedule.Schedule):
    """Poolings on photographs with several classes, by their published splits."""

    data: str = 'voc2007'
    """voc2007, voc2012, coco2014, or voc:PATH, a folder with lists of training and test
    images. voc_lenient:PATH mends small faults of its annotations and warns."""


# {(method, data): config}.
PUBLISHED = {
    (method, name): Config(data=name, **fields)
    for method, fields in (('wildcat', {}), ('weldon', schedule.WELDON))
    for name in ('voc2007', 'voc2012', 'coco2014')
}


class Prepared(NamedTuple):
    """What the trials read."""

    test: data.voc.Annotated
    images: pixels.Photos  # of the test
    # (pooling, seed) -> prediction of the test images, computed once
    localize: Callable[[str, int], measures.Prediction]


def build(config: Config) -> runs.Study:
    """The study of a config."""
    config.check((*poolings.POOLINGS, CENTRE))
    trials = tuple(
        {'pooling': name, 'seed': seed}
        for seed in range(config.seeds)
        for name in config.poolings
    )
    scales = ', '.join(map(str, config.scales))
    name = domain_specs.short_name(config.data)
    return runs.Study(
        name='localization.multi_label',
        config=config,
        task=f'{name}, {config.network.title} at {scales} pixels',
        trials=trials,
        prepare=functools.partial(_prepare, config),
        measure=_measure,
        values=measures.VALUES,
        figures=lambda rows: paired.draw(rows, 'pooling', 'seed', measures.TITLES),
        pictures=functools.partial(_pictures, config),
        fast=config == fast(),
    )


def sweep() -> Iterator[Config]:
    """The settings of the papers."""
    yield from PUBLISHED.values()


def fast() -> Config:
    """A run of seconds on generated images, with random weights."""
    return Config(
        data='fake',
        poolings=(CENTRE, 'wildcat'),
        scales=(96,),
        backbone='alexnet',
        epochs=1,
        batch=4,
    )


def _prepare(config: Config, data_dir: str | None) -> Prepared:
    train, test = annotated_parts.parts(config.data, data_dir)
    below = trunk.load(data_dir, config.network, random=config.data == 'fake')
    label = data.voc.multi_hot(train)
    items = [
        trunk.items(below, pixels.Photos(train, side), label) for side in config.scales
    ]
    images = pixels.Photos(test, max(config.scales))

    @functools.cache
    def localize(pooling, seed):
        if pooling == CENTRE:
            return localize('average', seed).at_centre()
        head = config.head(pooling, len(train.classes))
        recipe = config.recipe(losses.multi_label_logistic, len(label))
        method = trunk.method(below.network, head, recipe)
        state = trunk.train(method, recipe, below, items, seed)
        sizes = [(side, side) for side in config.scales]
        outputs = trunk.predict(head, below, state, images, sizes=sizes)
        return measures.Prediction.of_maps(outputs['logits'], outputs['maps'])

    return Prepared(test, images, localize)


def _measure(prepared: Prepared, trial: Mapping) -> dict[str, float]:
    prediction = prepared.localize(trial['pooling'], trial['seed'])
    rows = range(len(prepared.test.files))
    return measures.measure(prediction, measures.truth(prepared.test, rows))


def _pictures(config: Config, prepared: Prepared) -> dict[str, 'Figure']:
    """The first test images with the last pooling."""
    names = [name for name in config.poolings if name != CENTRE]
    if not names:
        return {}
    prediction = prepared.localize(names[-1], 0)
    prediction = measures.Prediction(*(part[:SHOWN] for part in prediction))
    images = pixels.some(prepared.images, SHOWN)
    truth = measures.truth(prepared.test, range(len(images)))
    examples = measures.examples(prediction, truth, images)
    title = f'Maps and points, {names[-1]}'
    classes = prepared.test.classes
    return {f'maps_{names[-1]}': overlays.overlays(examples, classes, title)}


if __name__ == '__main__':
    cli.main(Config, build)
