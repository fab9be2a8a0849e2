"""From labelled photographs here and unlabelled ones there to a model for there.

    python -m experiments.adapt --source PHOTOS_WITH_CLASSES --target PHOTOS_WITHOUT

The source is a folder with a folder for each class, a .csv with the columns file,label,
an .npz, or tfds:NAME. The target is any folder of images, nested or flat; no label of
it is needed or read. The command prints its plan, trains a method and source only, and
writes report.html with its advice, predictions.csv of every target image, and model/,
which experiments.predict and tj.load read. The same command goes on after Ctrl-C.

    python -m experiments.adapt --source A --target B --plan
    python -m experiments.adapt --source A --target B --method dann --seeds 3
    python -m experiments.adapt --source A --target B --method coral
"""

import dataclasses
import pathlib
import shutil
from collections.abc import Sequence

import numpy as np

from transfer_jax import recipes, runs
from transfer_jax.adapt import (
    experiment,
    outcome,
    page,
    photographs,
    plan,
    plan_text,
    reading,
    shallow_way,
    verdict,
)
from transfer_jax.adapt.flags import Command
from transfer_jax.cli import arithmetic, classifier, launch
from transfer_jax.data import image_files, listings
from transfer_jax.recipes import encoders
from transfer_jax.training import log

SOURCE_ONLY = 'source_only'


def main(args: Sequence[str] | None = None) -> None:
    """Runs the command in `args`, by default that of the command line."""
    with launch.command(Command, __doc__, args) as command:
        arithmetic.prepare(command.compute)
        arithmetic.apply(command.compute)
        adapt(command)


def adapt(command: Command) -> pathlib.Path | None:
    """Does what the command says; returns the path of the report, None for a plan.

    Raises:
      ValueError: images, flags or folders that cannot be used.
    """
    method = shallow_way.name_of(command.method)
    shallow = method in shallow_way.METHODS
    plan.check_method(method, tuple(shallow_way.METHODS))
    given = _given(command)
    counts = plan.Counts(
        given['source'].count, given['target'].count, len(given['source'].classes)
    )
    config = plan.resolve(_config(command, method, shallow), counts, command.data_dir)
    if shallow and encoders.is_random(config.backbone):
        why = (
            f'{config.backbone} starts from random weights, leave --backbone out'
            if command.backbone
            else plan_text.no_weights()
        )
        raise ValueError(f'{method} needs features of a pretrained network; {why}')
    unknown = not command.backbone and encoders.is_random(config.backbone)
    lines = plan_text.lines(config, given, method, counts, unknown)
    for line in lines:
        _say(line)
    if command.plan:
        return None
    run_dir = command.run_dir or _folder(given)
    decoded = {name: part.decode(config.size) for name, part in given.items()}
    config = dataclasses.replace(config, images=reading.described(decoded))
    encoder = encoders.load(config.backbone, command.data_dir, config.domains)
    by_seed = {
        seed: photographs.of_run(seed, given['source'].classes, decoded, encoder)
        for seed in range(command.seeds)
    }
    if shallow:
        outcomes = shallow_way.run(by_seed[0], config.backbone, method, run_dir)
        plain, last, others = outcomes[0], outcomes[-1], outcomes[1:-1]
    else:
        plain, last = _trained(config, by_seed, run_dir)
        others = _quick(by_seed[0], config)
    share = np.bincount(decoded['source'].label, minlength=counts.classes)
    share = share / share.sum()
    classes = given['source'].classes
    judged = (
        None if last is plain else verdict.judge(last.side, plain.side, share, classes)
    )
    content = page.Content(
        f'{given["source"].name} to {given["target"].name}',
        lines,
        classes,
        share,
        decoded['target'].image,
        decoded['target'].names,
        [plain] if last is plain else [plain, last],
        judged,
        others,
        'target_labelled' in decoded,
    )
    return _write(run_dir, content)


def _write(run_dir: pathlib.Path, content: page.Content) -> pathlib.Path:
    """Report, predictions and model folder of the advised model."""
    chosen = page.advised(content)
    with log.console.status('drawing the report'):
        report = page.write(run_dir / 'report.html', content)
    table = _write_predictions(run_dir / 'predictions.csv', content, chosen)
    say = [page.advice(content)]
    if content.verdict is not None:
        say += [f'  {line}' for line in content.verdict.reasons]
        say += [f'  warning: {line}' for line in content.verdict.warnings]
    for outcome_ in content.outcomes:
        if outcome_.test_accuracy:
            mean = 100 * np.mean(outcome_.test_accuracy)
            say.append(f'  target test accuracy, {outcome_.title}: {mean:.1f} %')
    say.append(f'predictions of {chosen.title}: {table}')
    shutil.rmtree(run_dir / 'model', ignore_errors=True)  # of an earlier run
    if chosen.run_dir is not None:
        say.append(f'model: {_copy_model(chosen, run_dir)}')
    else:
        say.append(f'{chosen.title} has no model folder: it is no linear classifier')
    say.append(f'report: {report}')
    for line in say:
        _say(line)
    return report


def _write_predictions(path, content: page.Content, chosen: outcome.Outcome):
    """The mean over the seeds, of every target image; returns the path."""
    rows = zip(content.names, chosen.side.probabilities.mean(0), strict=True)
    try:
        with open(path, 'w', newline='', encoding='utf-8') as file:
            classifier.write_csv(
                file,
                (classifier.prediction(name, content.classes, p) for name, p in rows),
            )
    except OSError as error:
        raise runs.FolderError(f'cannot write {path}: {error.strerror}') from error
    return path


def _copy_model(chosen: outcome.Outcome, run_dir: pathlib.Path) -> pathlib.Path:
    source = runs.model_folder.rule_dir(chosen.run_dir, 0, chosen.side.rule)
    into = run_dir / 'model'
    try:
        shutil.copytree(source, into)
    except OSError as error:  # shutil.Error has no strerror
        raise runs.FolderError(
            f'cannot write {into}: {error.strerror or error}; make room and start the '
            'same command again'
        ) from None
    return into


def _trained(config, by_seed, run_dir) -> list[outcome.Outcome]:
    """Source only, then the method; the same one twice where it is source only."""
    outcomes = []
    for name in dict.fromkeys((SOURCE_ONLY, config.method)):
        of_method = config
        if name != config.method:
            of_method = dataclasses.replace(config, method=name, weight=None)
        built = experiment.build(of_method, by_seed.__getitem__)
        folder = run_dir / name
        runs.run(built, folder)
        validate_as = recipes.get(name).validate_as
        outcomes.append(outcome.collect(built, folder, by_seed, validate_as))
    return [outcomes[0], outcomes[-1]]


def _quick(data_of_seed, config) -> list[outcome.Outcome]:
    """Classifiers of frozen features, for comparison; none for random weights."""
    if encoders.is_random(config.backbone):
        return []
    with log.console.status('classifiers of frozen features'):
        return shallow_way.run(data_of_seed, config.backbone, 'coral')


def _given(command: Command) -> dict[str, reading.Pictures]:
    """The images of every flag, listed; says what is left out and what differs."""
    options = reading.Options(
        command.skip_unreadable, command.large_images, command.data_dir
    )
    given = {
        'source': reading.labelled(command.source, options),
        'target': reading.unlabelled(command.target, options),
    }
    classes = given['source'].classes
    for name in ('target_test', 'target_labelled'):
        if getattr(command, name):
            given[name] = reading.labelled(getattr(command, name), options, classes)
            absent = set(classes) - {classes[i] for i in given[name].label}
            if absent:
                _say(f'{name}: has no images of {listings.few(sorted(absent))}')
    for part in given.values():
        if part.left_out:
            _say(part.left_out)
    pairs = image_files.duplicates(given['source'].files, given['target'].files)
    if pairs:
        _say(
            f'{len(pairs)} images are in both domains, such as {pairs[0][0]} and '
            f'{pairs[0][1]}: adaptation gains nothing from them'
        )
    return given


def _config(command: Command, method: str, shallow: bool) -> experiment.Config:
    names = {field.name for field in dataclasses.fields(experiment.Config)}
    asked = {k: v for k, v in vars(command).items() if k in names}
    asked |= {
        'method': SOURCE_ONLY if shallow else method,
        'target_test': bool(command.target_test),
    }
    config = experiment.Config(**asked)
    launch.check_config(config)
    return config


def _folder(given) -> pathlib.Path:
    plain = f'{given["source"].name}_to_{given["target"].name}'
    plain = ''.join(c if c.isalnum() or c in '_-' else '_' for c in plain)
    return pathlib.Path('runs/adapt') / plain


def _say(line: str) -> None:
    log.console.print(line, soft_wrap=True, markup=False)
