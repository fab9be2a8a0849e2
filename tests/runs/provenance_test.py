"""Digests of data, and what a result says of its starts."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.runs import provenance


class Pair(NamedTuple):
    image: Any
    names: tuple[str, ...] = ('a', 'b')


@dataclasses.dataclass(frozen=True)
class Part:
    values: Any


IMAGE = np.arange(6, dtype=np.uint8).reshape(2, 3)


@pytest.mark.parametrize(
    'other',
    [
        Pair(IMAGE.reshape(3, 2)),
        Pair(IMAGE.astype(np.int8)),
        Pair(IMAGE[::-1]),
        Pair(IMAGE, ('ab', '')),
        Pair({'image': IMAGE}),
        Pair(None),
    ],
    ids=['shape', 'dtype', 'order', 'names', 'container', 'nothing'],
)
def test_every_part_of_the_data_counts(other):
    assert provenance.digest(Pair(IMAGE)) != provenance.digest(other)


def test_equal_data_have_equal_digests_wherever_they_are():
    assert provenance.digest(IMAGE) == provenance.digest(IMAGE.copy(order='F'))
    assert provenance.digest(IMAGE) == provenance.digest(jnp.asarray(IMAGE))
    assert provenance.digest(Part(IMAGE)) == provenance.digest(Part(IMAGE.copy()))
    assert provenance.digest({'a': 1, 'b': 2}) == provenance.digest({'b': 2, 'a': 1})
    half = jnp.ones(3, jnp.bfloat16)
    assert provenance.digest(half) == provenance.digest(np.asarray(half))
    assert len(provenance.digest(1)) == 16


def test_a_file_counts_by_its_name_and_size(tmp_path):
    one, other = (tmp_path / name / 'a.png' for name in ('dog', 'cat'))
    for path in (one, other):
        path.parent.mkdir()
        path.write_bytes(b'123')
    before = provenance.digest(one)
    assert provenance.digest(other) != before
    one.write_bytes(b'1234')
    assert provenance.digest(one) != before


def test_what_has_no_digest_is_noted_as_none(tmp_path):
    for data in (lambda: 0, np.array([None]), tmp_path / 'missing'):
        with pytest.raises((TypeError, OSError)):
            provenance.digest(data)
        assert provenance.start(3, [data])['data'] is None
    start = provenance.start(3, IMAGE, 'abc')
    assert (start['seed'], start['golden']) == (3, 'abc')
    assert start['data'] == provenance.digest(IMAGE)
    assert {'git', 'versions', 'device', 'time'} <= start.keys()


def test_a_start_says_how_networks_computed(monkeypatch):
    monkeypatch.delenv('XLA_FLAGS', raising=False)
    names = ('precision', 'deterministic')

    def noted(backend, setting):
        monkeypatch.setattr(jax, 'default_backend', lambda: backend)
        with jax.default_matmul_precision(setting):
            start = provenance.start(0, IMAGE)
        return tuple(start[name] for name in names)

    assert noted('cpu', None) == ('highest', True)
    assert noted('gpu', None) == ('default', False)
    assert noted('gpu', 'highest') == ('highest', False)
    monkeypatch.setenv('XLA_FLAGS', '--xla_gpu_deterministic_ops=true')
    assert noted('gpu', 'high') == ('high', True)


def test_a_result_shows_all_of_its_starts_and_an_earlier_one_its_end():
    def start(git, jax):
        return {'git': git, 'device': '2 cores', 'versions': {'jax': jax, 'numpy': '2'}}

    result = {'starts': [start('b1', '1'), start(None, '2'), start('b1', '2')]}
    assert provenance.revisions(result) == '2 cores; git b1, unknown'
    assert provenance.versions(result) == {'jax': '1, 2', 'numpy': '2'}
    assert provenance.revisions(start('c2', '1')) == '2 cores; git c2'
    assert provenance.starts({})[0]['git'] is None


def test_results_of_other_precision_are_told_apart():
    start = {'git': 'b1', 'versions': {}, 'device': 'H200'}
    starts = [start, {**start, 'precision': 'highest'}]  # of an earlier version, ours
    assert provenance.revisions({'starts': starts}) == 'H200; git b1'
    starts.append({**start, 'precision': 'high'})  # went on with another one
    expected = 'H200, H200 (precision high); git b1'
    assert provenance.revisions({'starts': starts}) == expected
