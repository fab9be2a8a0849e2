"""The recorded numbers of the methods: a change that moves them says so."""

import json

import numpy as np
import pytest

from tools import golden_runs

RECORDED = json.loads(golden_runs.FILE.read_text())


@pytest.mark.parametrize(
    'method',
    [
        pytest.param(
            name, marks=() if name in golden_runs.FEW_METHODS else pytest.mark.slow
        )
        for name in golden_runs.METHODS
    ],
)
def test_the_first_steps_are_those_that_were_recorded(method):
    found = golden_runs.record(method)
    assert set(found) == set(RECORDED[method])
    for stage, recorded in RECORDED[method].items():
        assert set(found[stage]['losses']) == set(recorded['losses'])
        for name, losses in recorded['losses'].items():
            np.testing.assert_allclose(
                found[stage]['losses'][name], losses, rtol=1e-5, err_msg=name
            )
        np.testing.assert_allclose(
            found[stage]['squares'], recorded['squares'], rtol=1e-4
        )


def test_rounding_leaves_a_record_as_it_is(tmp_path, monkeypatch):
    def stages(loss):
        return {'train': {'losses': {'train/loss': [loss, 0.0]}, 'squares': 2.0}}

    found = {'dan': stages(1.0 + 1e-7), 'dann': stages(1.1), 'jan': stages(3.0)}
    monkeypatch.setattr(golden_runs, 'FILE', tmp_path / 'golden.json')
    monkeypatch.setattr(golden_runs, 'record', found.get)
    golden_runs.FILE.write_text(json.dumps({'dan': stages(1.0), 'dann': stages(1.0)}))
    golden_runs._write(list(found))
    recorded = json.loads(golden_runs.FILE.read_text())
    assert recorded == {**found, 'dan': stages(1.0)}
