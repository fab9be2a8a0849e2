"""A run folder: its owner, its config, rows that survive a crash."""

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


def test_a_new_folder_holds_the_config_of_its_run(tmp_path):
    with folder.claim(tmp_path / 'a' / 'b', 'experiment', Config()):
        about = json.loads((tmp_path / 'a' / 'b' / 'config.json').read_text())
    assert about['experiment'] == 'experiment'
    assert about['config'] == {'rate': 0.1, 'pair': 'a_to_b', 'widths': [1, 2]}
    assert {'python', 'jax', 'numpy'} <= set(about['versions'])


def test_the_same_config_may_go_on(tmp_path):
    for _ in range(2):
        with folder.claim(tmp_path, 'experiment', Config()):
            pass


def test_another_config_is_refused_and_its_fields_are_named(tmp_path):
    with folder.claim(tmp_path, 'experiment', Config()):
        pass
    message = r"\(pair: 'a_to_b' there, 'c' here; rate: 0.1 there, 0.2 here\)"
    with pytest.raises(folder.FolderError, match=message):
        with folder.claim(tmp_path, 'experiment', Config(0.2, 'c')):
            pytest.fail('the block must not run')


def test_another_experiment_is_refused(tmp_path):
    with folder.claim(tmp_path, 'experiment', Config()):
        pass
    with pytest.raises(folder.FolderError, match='a run of experiment, not of other'):
        with folder.claim(tmp_path, 'other', Config()):
            pytest.fail('the block must not run')


def test_a_folder_of_another_version_is_refused(tmp_path):
    """Its networks and numbers had other names; nothing in it is touched."""
    about = {'experiment': 'experiment', 'config': {'rate': 0.1}, 'git': '371a5a7'}
    (tmp_path / 'config.json').write_text(json.dumps(about))
    with pytest.raises(folder.FolderError, match='371a5a7.*finish it with that'):
        with folder.claim(tmp_path, 'experiment', Config()):
            pytest.fail('the block must not run')
    assert json.loads((tmp_path / 'config.json').read_text()) == about


class _Failure(Exception):
    pass


def _fail(run_dir, config, record=lambda: None):
    """A block that fails once it has called `record`."""
    with pytest.raises(_Failure):
        with folder.claim(run_dir, 'experiment', config):
            record()
            raise _Failure


def test_a_block_that_fails_before_it_records_removes_the_folder_it_created(tmp_path):
    run_dir = tmp_path / 'run'

    def prepare():  # what a start writes before its first step
        (run_dir / 'events').mkdir()
        (run_dir / 'history.jsonl').touch()
        (run_dir / 'metrics.jsonl').touch()

    for record in (lambda: None, prepare):
        _fail(run_dir, Config(), record)
        assert not run_dir.exists()
    with folder.claim(run_dir, 'experiment', Config(0.2)):
        pass


def test_a_block_that_fails_before_it_records_leaves_the_files_of_the_user(tmp_path):
    (tmp_path / 'notes.txt').write_text('mine')
    _fail(tmp_path, Config())
    assert [path.name for path in tmp_path.iterdir()] == ['notes.txt']
    with folder.claim(tmp_path, 'experiment', Config(0.2)):
        pass


@pytest.mark.parametrize('what', ['history.jsonl', 'metrics.jsonl', 'checkpoints'])
def test_a_block_that_fails_after_it_recorded_keeps_its_config(tmp_path, what):
    run_dir = tmp_path / 'run'

    def record():
        if what == 'checkpoints':
            (run_dir / what).mkdir()
        else:
            folder.Rows(run_dir / what).append(_row(0, 'a', 1))

    _fail(run_dir, Config(), record)
    with pytest.raises(folder.FolderError, match='rate: 0.1 there, 0.2 here'):
        with folder.claim(run_dir, 'experiment', Config(0.2)):
            pytest.fail('the block must not run')
    with folder.claim(run_dir, 'experiment', Config()):
        assert (run_dir / what).exists()


def test_a_failing_block_of_a_folder_with_a_config_keeps_the_config(tmp_path):
    """A finished run, or one that another start has begun, is never cleared."""
    with folder.claim(tmp_path, 'experiment', Config()):
        pass
    _fail(tmp_path, Config())
    with pytest.raises(folder.FolderError, match='of another config'):
        with folder.claim(tmp_path, 'experiment', Config(0.2)):
            pytest.fail('the block must not run')


def test_a_folder_in_use_is_refused_until_it_is_free(tmp_path):
    with folder.claim(tmp_path, 'experiment', Config()):
        with pytest.raises(folder.FolderError, match='in use by another process'):
            with folder.claim(tmp_path, 'experiment', Config()):
                pytest.fail('the block must not run')
    with folder.claim(tmp_path, 'experiment', Config()):
        pass


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / 'file').write_text('in the way')
    with pytest.raises(folder.FolderError, match='cannot write run folder .*--run-dir'):
        with folder.claim(tmp_path / 'file' / 'run', 'experiment', Config()):
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
    assert not rows.path.exists()
    others = [_row(0, 'a', 2), _row(0, 'b', 9), _row(1, 'a', 9)]
    rows.append(_row(0, 'a', 3), *others, _row(0, 'a', 4))
    rows.rewind(0, 'a', 2)
    assert rows.read() == others


def test_a_line_cut_short_by_a_crash_is_left_out_and_harms_no_later_row(tmp_path):
    rows = folder.Rows(tmp_path / 'rows.jsonl')
    rows.append(_row(0, 'a', 1), _row(0, 'a', 2))
    os.truncate(rows.path, rows.path.stat().st_size - 5)
    assert rows.read() == [_row(0, 'a', 1)]
    rows.rewind(0, 'a', 1)
    rows.append(_row(0, 'a', 2, x=1))
    assert rows.read() == [_row(0, 'a', 1), _row(0, 'a', 2, x=1)]


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'result.json'
    folder.write_json(path, {'a': 1})
    with pytest.raises(TypeError):
        folder.write_json(path, {'a': object()})
    assert json.loads(path.read_text()) == {'a': 1}
    assert os.listdir(tmp_path) == ['result.json']


def test_a_full_disk_is_a_clear_error_and_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / 'result.json'
    folder.write_json(path, {'a': 1})

    def full(*_, **__):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'replace', full)
    with pytest.raises(folder.FolderError, match='No space left.*make room'):
        folder.write_json(path, {'a': 2})
    assert json.loads(path.read_text()) == {'a': 1}


def test_a_field_that_is_newer_than_a_run_has_its_default():
    @dataclasses.dataclass(frozen=True)
    class Config:
        steps: int = 1
        clip: float = 0.0

    assert folder.config_of(Config, {'steps': 3}) == Config(3, 0.0)
    with pytest.raises(ValueError, match=r'has other fields \(width\)'):
        folder.config_of(Config, {'steps': 3, 'width': 2})
