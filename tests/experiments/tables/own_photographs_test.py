"""Tables of experiments.adapt on known pairs."""

import pytest

from experiments.adaptation import own_photographs as study
from experiments.tables import command
from experiments.tables import own_photographs as tables
from transfer_jax import runs, selection

NUMBERS = {
    selection.FIXED: 1.0,
    'snd': 1.0,
    'mixval': 0.5,
    'reverse_validation_linear': 0.5,
    'source_validation': 0.9,
    'accuracy': 0.5,
    'gathers': 0,
}


def result(changes, **config):
    """A result whose rows have NUMBERS, and {(method, seed): other numbers}."""
    built = study.build(study.Config(**config))
    rows = [
        {
            'trial': trial,
            'measured': NUMBERS | changes.get((trial['method'], trial['seed']), {}),
        }
        for trial in built.trials
    ]
    return runs.study.summarize(built, rows)


def higher(accuracy, fixed=1.5):
    return {'accuracy': accuracy, selection.FIXED: fixed}


MEASURED = [
    result(
        {
            ('mcc', 0): higher(0.6),
            ('mcc', 1): higher(0.4),  # the advice is wrong
            ('mcc', 2): higher(0.8) | {'gathers': 1},  # and says nothing
        },
        pair='photo-sketch',
    ),
    result({('mcc', s): higher(0.4, 0.5) for s in range(3)}, pair='photo-cartoon'),
]


def test_differences_are_of_the_same_seed_and_advice_of_each():
    one, other = map(tables.gain, MEASURED)
    assert one.differences == pytest.approx([0.1, -0.1, 0.3])
    assert one.answers == ('yes', 'yes', 'cannot say') and one.right == 1
    assert other.answers == ('no', 'no', 'no') and other.right == 3


def test_the_table_has_a_row_for_each_pair_and_one_of_all():
    cartoon, sketch, mean = tables.markdown(MEASURED[::-1]).splitlines()[2:5]
    assert sketch.startswith('| photo -> sketch | 50.0 ± 0.0 | 50.0 ± 0.0 |')
    # mean .1, standard deviation .2
    assert '| +10.0 ± 11.5 | yes 2, cannot say 1 | 1 of 3 | 3 |' in sketch
    assert '| -10.0 ± 0.0 | no 3 | 3 of 3 | 3 |' in cartoon
    # .1, -.1, .3, -.1, -.1, -.1: mean 0, standard deviation .167
    assert '| +0.0 ± 6.8 | no 3, yes 2, cannot say 1 | 4 of 6 | 6 |' in mean
    assert 'Not run: photo-art_painting, amazon-caltech10' in tables.markdown(MEASURED)
    assert len(tables.missing(MEASURED)) == len(study.MEASURED_ON) - 2


def test_the_choice_is_a_row_for_each_candidate():
    pairs = study.CHOSEN_ON[:2]
    results = [
        result({('mcc', 0): higher(0.7, 2.0)}, pair=p, choice=True) for p in pairs
    ]
    other = {'choice': True, 'methods': ('mcc',), 'factor': 3.0, 'pair': pairs[0]}
    results.append(result({}, **other))
    made = tables.markdown(results, 'choice').splitlines()
    assert '| mcc | 2.000 | 1.000 | 0.500 | 0.500 | 90.0 | 70.0 |' in made
    assert made[4].startswith('| mcc, weight x 3 (1 of 2 pairs) | 1.000')
    assert not tables.markdown(results) and not tables.markdown(MEASURED, 'choice')


def test_the_pages_have_both():
    page = ''.join(
        f'<!-- table:{name} -->\nold\n<!-- /table -->\n'
        for name in ('adapt', 'adapt.choice')
    )
    after = command.rewrite(page, [], MEASURED)
    assert 'photo -> sketch' in after and 'No result files yet.' in after
