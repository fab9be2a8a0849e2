"""The search for a weight: its grid, its edges, its ties, and what is written."""

import json
import math

import pytest

from experiments.adaptation import digits, tuning, weight_search
from experiments.tasks import golden, tuned_weights
from transfer_jax import recipes, runs, selection

NAN = float('nan')


def _scores(*fixed, beside=(0.0,)):
    return weight_search.Scores(fixed, beside, [1.0] * len(fixed))


def _peak(at, asked):
    """score(weights): the highest is at the weight nearest to `at`, in factors."""

    def score(weights):
        asked.append(list(weights))
        return {w: _scores(-abs(math.log((w + 1e-9) / at))) for w in weights}

    return score


def test_a_grid_has_zero_and_the_published_weight():
    assert weight_search.grid(1.0) == [0.0, 0.11, 0.33, 1.0, 3.0, 9.0]
    for recipe in recipes.RECIPES.values():
        if recipe.weight:
            grid = weight_search.grid(recipe.weight)
            assert grid[0] == 0 and grid[3] == recipe.weight
            assert len(grid) == 6 and grid == sorted(set(grid))


@pytest.mark.parametrize(
    'at, chosen, added, at_edge',
    [
        (1.0, 1.0, [], False),
        (27.0, 27.0, [27.0, 81.0], False),  # the next one shows that it is no edge
        (1e4, 240.0, [27.0, 81.0, 240.0], True),
        (0.04, 0.037, [0.037, 0.012], False),
        (1e-12, 0.0, [], False),  # nothing is below 0
    ],
)
def test_a_grid_grows_while_its_best_is_at_an_edge(at, chosen, added, at_edge):
    asked = []
    outcome = weight_search.search(1.0, _peak(at, asked))
    assert asked == [weight_search.grid(1.0), *([w] for w in added)]
    assert (outcome.chosen, outcome.at_edge) == (chosen, at_edge)
    assert list(outcome.by_weight) == sorted(outcome.by_weight)


def test_seeds_without_a_score_are_left_out_of_the_mean():
    assert _scores(1.0, NAN, 2.0).mean == 1.5
    by_weight = {0.0: _scores(1.0, 1.0), 1.0: _scores(NAN, 1.2), 2.0: _scores(NAN, NAN)}
    assert weight_search.best(by_weight) == 1.0
    assert weight_search.best({0.0: _scores(NAN)}) is None
    # Over the second seed alone: without its low first one, 1.0 would win.
    uneven = {0.0: _scores(0.2, 2.0), 1.0: _scores(NAN, 1.9)}
    assert weight_search.best(uneven) == 0.0
    assert weight_search.best({0.0: _scores(1.0, NAN), 1.0: _scores(NAN, 1.0)}) is None
    # Equal scores: the smaller weight.
    assert weight_search.best({3.0: _scores(1.0), 1.0: _scores(1.0)}) == 1.0


def _outcome(git='abc', method='mcc'):
    by_weight = {
        0.0: _scores(1.0, NAN, beside=(3.0, 3.0)),
        3.0: _scores(2.0, 2.2, beside=(1.0, 2.0)),
    }
    start = {'seed': 0, 'time': 'now', 'git': git, 'golden': golden.digest(method)}
    by_weight = {w: s._replace(starts=[start]) for w, s in by_weight.items()}
    return weight_search.Tuned(3.0, 0.0, True, by_weight)


def test_the_tables_say_what_was_left_out_and_whether_scores_agree(tmp_path):
    text = tuning.text('mcc', _outcome())
    assert 'at an edge of its grid: 3' in text
    assert '1 runs are left out' in text and 'nan' in text
    assert 'source only' in text and 'chosen by snd' in text
    path = tmp_path / 'new' / 'tuning.json'
    for name in ('mcc', 'dann'):
        tuning.save(path, tuning.config(), name, _outcome())
    lines = tuning.summary(tuned_weights.entries(path)).splitlines()
    of_dann, of_mcc = (line.split() for line in lines[2:4])
    assert of_mcc[2:] == ['3', '0', 'no', 'at', 'an', 'edge', '1']
    assert of_dann[2:] == ['3', 'at', 'an', 'edge', '1']  # its loss is not the score


def test_the_file_is_json_that_the_sweep_reads(tmp_path):
    path = tmp_path / 'tuning.json'
    path.write_text('{"dann": {"0.03": 1.8}}')  # of an earlier version
    assert tuned_weights.read(path) == {}
    tuning.save(path, tuning.config(), 'mcc', _outcome())
    content = json.loads(path.read_text())  # NaN would be no JSON
    assert content['ranked_by'] == selection.FIXED
    assert (content['task'], content['steps'], content['seeds']) == (
        'mnist_to_usps, adda',
        500,
        3,
    )
    assert content['methods']['mcc']['weights']['0'] == {
        'score': 1.0,
        'scores': [1.0, None],
        'snd': [3.0, 3.0],
        'temperature': [1.0, 1.0],
        'left_out': [1],
    }
    (start,) = content['methods']['mcc']['starts']
    assert start == {'seed': 0, 'git': 'abc', 'golden': golden.digest('mcc')}
    assert tuned_weights.read(path) == {'mcc': 3.0}
    tuning.save(path, tuning.config(), 'dan', _outcome('abc-dirty', 'dan'))
    assert tuned_weights.read(path) == {'mcc': 3.0}  # not of uncommitted files
    tuning.save(path, tuning.config(fast=True), 'bnm', _outcome(method='bnm'))
    assert tuned_weights.read(path) == {'bnm': 3.0}  # those were scored otherwise


def test_only_methods_with_a_weight_are_tuned():
    assert tuning.chosen_methods(tuning.Command().methods) == list(
        tuned_weights.METHODS
    )
    assert 'adda' not in tuning.chosen_methods(['all'])
    with pytest.raises(ValueError, match="'adda' has no weight; choose from ddc"):
        tuning.chosen_methods(['dann', 'adda'])


@pytest.mark.slow
def test_a_stopped_search_goes_on(tmp_path, capsys):
    flags = ['--fast', '--methods', 'mcc', '--run-root', str(tmp_path / 'runs')]
    flags += ['--scores', str(tmp_path / 'tuning.json')]
    tuning.main(flags)
    first = (tmp_path / 'tuning.json').read_text()
    entry = json.loads(first)['methods']['mcc']
    assert len(entry['weights']) >= 6 and 'by snd' in capsys.readouterr().out
    results = list((tmp_path / 'runs').rglob('result.json'))
    assert len(results) == len(entry['weights'])
    written = {path: path.stat().st_mtime_ns for path in results}
    tuning.main(flags)
    assert (tmp_path / 'tuning.json').read_text() == first
    one = runs.folder.Rows(results[0].parent / 'history.jsonl').read()
    assert len(one) == 2 and written  # two seeds, one evaluation each
    assert digits.fast().steps == one[0]['step']
