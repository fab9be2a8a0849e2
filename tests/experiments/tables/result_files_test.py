"""Results that tables refuse, and results that are stale."""

import dataclasses
import json
import sys
import types

import numpy as np
import pytest

from experiments.tables import command, result_files, stale
from experiments.tasks import golden
from transfer_jax import data, runs
from transfer_jax.runs import provenance

SOUND = {'jax': '0.10.1', 'jaxlib': '0.10.1', 'numpy': '2.0.0'}


def _result(*starts, **fields):
    return {
        'format': runs.folder.FORMAT,
        'experiment': 'made_up',
        'method': 'dann',
        'task': 'a to b',
        'config': {'seeds': 1},
        'fast': False,
        'scores': {},
        'starts': list(starts),
        **fields,
    }


def _start(**changes):
    start = {
        'seed': 0,
        'git': 'a1b2',
        'versions': SOUND,
        'device': '2 cores',
        'golden': golden.digest('dann'),
        'data': None,
    }
    return {**start, **changes}


@pytest.mark.parametrize(
    'result, reason',
    [
        (_result(_start()), ''),
        (_result(_start(versions={**SOUND, 'jaxlib': '0.10.3'})), ''),
        (_result(fast=True), 'tests'),
        (_result(_start(), _start(git='a1b2-dirty')), 'no commit'),
        (_result(_start(versions={**SOUND, 'jaxlib': '0.10.2'})), 'jaxlib 0.10.2'),
        ({'fast': False, 'git': 'a-dirty', 'versions': SOUND}, 'no commit'),
        ({'fast': False, 'git': 'a', 'versions': {'jax': '0.10.2'}}, 'jax 0.10.2'),
        ({'fast': False, 'git': None, 'versions': SOUND}, ''),
        (_result(_start(git=None)), 'outside of a git repository'),
    ],
)
def test_a_result_needs_a_commit_and_sound_libraries(result, reason):
    refused = result_files.refusal(result)
    assert (reason in refused) if reason else not refused


@pytest.fixture
def written(tmp_path):
    """write(*results) -> the folder of their files 0.json, 1.json, ..."""

    def write(*results):
        for i, result in enumerate(results):
            (tmp_path / f'{i}.json').write_text(json.dumps(result))
        return tmp_path

    return write


def test_refused_results_are_in_no_table_and_named_with_the_reason(written, capsys):
    root = written(_result(_start()), _result(_start(git='a-dirty')))
    results, left_out = result_files.find([root])
    assert [result['starts'][0]['git'] for result in results] == ['a1b2']
    assert left_out == [
        (root / '1.json', 'made from files that no commit has (git a-dirty)')
    ]
    command.main(['ganin', '--runs', str(root)])
    assert f'{root / "1.json"}: made from files' in capsys.readouterr().out


@pytest.fixture
def made_up(monkeypatch):
    """An experiment whose data are three numbers that a test may change."""

    @dataclasses.dataclass(frozen=True)
    class Config:
        seeds: int = 1

    module = types.ModuleType('experiments.made_up')
    module.Config, module.numbers = Config, np.arange(3)

    def read(seed, data_dir):
        if module.numbers is None:
            raise data.MissingData('made_up is missing\nGet it from a shop')
        return module.numbers + seed

    module.build = lambda config: types.SimpleNamespace(data=read)
    monkeypatch.setitem(sys.modules, 'experiments.made_up', module)
    return module


def test_stale_results_are_those_of_other_numbers_or_data(written, made_up, capsys):
    now = provenance.digest(made_up.numbers)
    root = written(
        _result(_start(data=now)),
        _result(_start(data='other')),
        _result(_start(data=now, golden='other')),
        _result(_start()),
        _result(_start(data=now, golden=None), method='my own'),
        {
            key: v
            for key, v in _result(git='a', versions=SOUND).items()
            if key != 'starts'
        },
        _result(_start(git='a-dirty', data=now)),
    )
    found = stale.check([root])
    assert [bool(one.reasons) for one in found] == [
        False,
        True,
        True,
        *[False] * 3,
        True,
    ]
    assert [bool(one.unknown) for one in found] == [*[False] * 3, *[True] * 3, False]
    command.main(['stale', '--runs', str(root)])
    out = capsys.readouterr().out
    assert '3 of 7 results are stale' in out and '3 cannot be compared' in out
    assert '1.json: its data differ from those at hand' in out
    assert '2.json: the golden run of dann was recorded anew' in out
    command.main(['stale', '--runs', str(root), '--json'])
    assert len(json.loads(capsys.readouterr().out)) == 7


def test_data_that_are_not_at_hand_are_said(written, made_up):
    root = written(_result(_start(data='abc')))
    made_up.numbers = None
    (one,) = stale.check([root])
    assert not one.reasons and one.unknown == ('made_up is missing',)


def test_the_digest_of_a_golden_run_is_that_of_its_recorded_numbers():
    assert golden.digest('no such method') is None
    recorded = json.loads(golden.FILE.read_text())
    digests = {golden.digest(name) for name in recorded}
    # AdaBN and source statistics train alike, and differ in how they predict.
    different = {json.dumps(run, sort_keys=True) for run in recorded.values()}
    assert len(digests) == len(different) and None not in digests
