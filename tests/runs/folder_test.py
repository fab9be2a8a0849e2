"""A run folder: who owns it, what it is a run of, rows that survive a crash."""

import dataclasses
import json
import os

import pytest

from transfer_jax.runs import folder


@dataclasses.dataclass(frozen=True)
class Config:
    rate: float = 0.1
    pair: str = 'a_to_b'
    widths: tuple[int, ...] = (1, 2)


def test_a_new_folder_says_what_it_is_a_run_of(tmp_path):
    with folder.claim(tmp_path / 'a' / 'b', 'page', Config()):
        about = json.loads((tmp_path / 'a' / 'b' / 'config.json').read_text())
    assert about['experiment'] == 'page'
    assert about['config'] == {'rate': 0.1, 'pair': 'a_to_b', 'widths': [1, 2]}
    assert {'python', 'jax', 'numpy'} <= set(about['versions'])


def test_the_same_config_may_go_on(tmp_path):
    for _ in range(2):
        with folder.claim(tmp_path, 'page', Config()):
            pass


def test_another_config_is_refused_and_its_fields_are_named(tmp_path):
    with folder.claim(tmp_path, 'page', Config()):
        pass
    message = r"\(pair: 'a_to_b' there, 'c' here; rate: 0.1 there, 0.2 here\)"
    with pytest.raises(folder.FolderError, match=message):
        with folder.claim(tmp_path, 'page', Config(0.2, 'c')):
            pytest.fail('the block must not run')


def test_another_experiment_is_refused(tmp_path):
    with folder.claim(tmp_path, 'page', Config()):
        pass
    with pytest.raises(folder.FolderError, match='a run of page, not of other'):
        with folder.claim(tmp_path, 'other', Config()):
            pytest.fail('the block must not run')


def test_a_folder_in_use_is_refused_until_it_is_free(tmp_path):
    with folder.claim(tmp_path, 'page', Config()):
        with pytest.raises(folder.FolderError, match='in use by another process'):
            with folder.claim(tmp_path, 'page', Config()):
                pytest.fail('the block must not run')
    with folder.claim(tmp_path, 'page', Config()):
        pass


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / 'file').write_text('in the way')
    with pytest.raises(folder.FolderError, match='cannot write run folder .*--run-dir'):
        with folder.claim(tmp_path / 'file' / 'run', 'page', Config()):
            pytest.fail('the block must not run')


def _row(seed, stage, step, **values):
    return {'seed': seed, 'stage': stage, 'step': step, **values}


def test_rows_are_read_back_in_order(tmp_path):
    rows = folder.Rows(tmp_path / 'rows.jsonl')
    assert rows.read() == []
    rows.append(_row(0, 'a', 1, x=0.1))
    rows.append(_row(0, 'a', 2, x=1e-30), _row(1, 'a', 1))
    assert [(r['seed'], r['step']) for r in rows.read()] == [(0, 1), (0, 2), (1, 1)]
    assert rows.read()[1]['x'] == 1e-30


def test_rewind_drops_what_will_be_written_again(tmp_path):
    rows = folder.Rows(tmp_path / 'rows.jsonl')
    rows.rewind(0, 'a', 0)
    assert not rows.place.exists()
    kept = [_row(0, 'a', 2), _row(0, 'b', 9), _row(1, 'a', 9)]
    rows.append(_row(0, 'a', 3), *kept, _row(0, 'a', 4))
    rows.rewind(0, 'a', 2)
    assert rows.read() == kept


def test_a_line_cut_short_by_a_crash_is_left_out_and_harms_no_later_row(tmp_path):
    rows = folder.Rows(tmp_path / 'rows.jsonl')
    rows.append(_row(0, 'a', 1), _row(0, 'a', 2))
    os.truncate(rows.place, rows.place.stat().st_size - 5)
    assert rows.read() == [_row(0, 'a', 1)]
    rows.rewind(0, 'a', 1)
    rows.append(_row(0, 'a', 2, x=1))
    assert rows.read() == [_row(0, 'a', 1), _row(0, 'a', 2, x=1)]


def test_json_is_written_whole_or_not_at_all(tmp_path):
    place = tmp_path / 'result.json'
    folder.write_json(place, {'a': 1})
    with pytest.raises(TypeError):
        folder.write_json(place, {'a': object()})
    assert json.loads(place.read_text()) == {'a': 1}
    assert os.listdir(tmp_path) == ['result.json']


def test_a_full_disk_is_a_clear_error_and_leaves_the_old_file(tmp_path, monkeypatch):
    place = tmp_path / 'result.json'
    folder.write_json(place, {'a': 1})

    def full(*_, **__):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'replace', full)
    with pytest.raises(folder.FolderError, match='No space left.*make room'):
        folder.write_json(place, {'a': 2})
    assert json.loads(place.read_text()) == {'a': 1}
