"""Checkpoints: the same bits back; damage is set aside; a full disk harms nothing."""

import shutil
import subprocess
import sys
import textwrap
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import training
from transfer_jax.training import checkpoint, optim


def _state(seed, step=0):
    rng = np.random.default_rng(seed)
    params = {
        'net': {
            'kernel': jnp.asarray(rng.normal(size=(40, 30)), jnp.float32),
            'bias': jnp.asarray([0.0, -0.0, np.inf, np.nan], jnp.float32),
            'half': jnp.asarray(rng.normal(size=3), jnp.bfloat16),
        }
    }
    txs = {'net': optim.adam(optim.constant(0.1))}
    state = training.state.create(params, {'net': {}}, txs, extra={'n': jnp.arange(3)})
    return state.replace(step=jnp.asarray(step, jnp.int32))


LIKE = jax.eval_shape(lambda: _state(0))


def _quiet(folder, like=LIKE):
    """The restored checkpoint; any warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter('error', UserWarning)
        return checkpoint.restore(folder, like)


def test_the_same_bits_come_back(tmp_path, same_bits):
    state = _state(1, 5)
    checkpoint.save(tmp_path / 'a' / 'b', state, 5)
    restored = _quiet(tmp_path / 'a' / 'b')
    assert restored.step == 5
    same_bits(restored.state, state)
    assert checkpoint.digest(restored.state) == checkpoint.digest(state)


def test_the_newest_of_two_is_used_and_older_ones_go(tmp_path, same_bits):
    for step in (1, 2, 10):
        checkpoint.save(tmp_path, _state(step, step), step)
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.isdigit()) == ['10', '2']
    same_bits(_quiet(tmp_path).state, _state(10, 10))


def test_a_step_saved_again_is_replaced(tmp_path, same_bits):
    """A run that went on from an older checkpoint comes to the same step once more."""
    checkpoint.save(tmp_path, _state(1, 3), 3)
    checkpoint.save(tmp_path, _state(2, 3), 3)
    same_bits(_quiet(tmp_path).state, _state(2, 3))


def test_without_checkpoints_there_is_none(tmp_path):
    assert _quiet(tmp_path / 'nowhere') is None
    assert _quiet(tmp_path) is None


def _truncate(file):
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def _flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def _damage(folder, how):
    """Damage the largest file of a checkpoint: the one with the arrays."""
    files = [path for path in folder.rglob('*') if path.is_file()]
    how(max(files, key=lambda path: path.stat().st_size))


@pytest.mark.parametrize('how', [_truncate, _flip])
def test_a_damaged_newest_checkpoint_is_set_aside(tmp_path, how, same_bits):
    for step in (1, 2):
        checkpoint.save(tmp_path, _state(step, step), step)
    _damage(tmp_path / '2', how)
    with pytest.warns(UserWarning, match='checkpoint 2 .* is damaged .*damaged_2'):
        restored = checkpoint.restore(tmp_path, LIKE)
    assert restored.step == 1
    same_bits(restored.state, _state(1, 1))
    assert (tmp_path / 'damaged_2').is_dir() and not (tmp_path / '2').exists()
    same_bits(_quiet(tmp_path).state, _state(1, 1))  # and the warning came once
    checkpoint.save(tmp_path, _state(2, 2), 2)
    same_bits(_quiet(tmp_path).state, _state(2, 2))


def test_arrays_exchanged_for_sound_others_are_noticed(tmp_path):
    """Only the digest can tell: both checkpoints are whole."""
    checkpoint.save(tmp_path / 'one', _state(1, 1), 1)
    checkpoint.save(tmp_path / 'two', _state(2, 1), 1)
    largest = {}
    for name in ('one', 'two'):
        entry = [p for p in (tmp_path / name / '1').iterdir() if p.is_dir()]
        largest[name] = max(
            entry, key=lambda p: sum(f.stat().st_size for f in p.rglob('*'))
        )
    shutil.rmtree(largest['one'])
    shutil.copytree(largest['two'], largest['one'])
    with pytest.warns(UserWarning, match='not those that were saved'):
        assert checkpoint.restore(tmp_path / 'one', LIKE) is None


def test_all_damaged_is_as_none(tmp_path):
    for step in (1, 2):
        checkpoint.save(tmp_path, _state(step, step), step)
        _damage(tmp_path / str(step), _truncate)
    with pytest.warns(UserWarning) as caught:
        assert checkpoint.restore(tmp_path, LIKE) is None
    assert sum('is damaged' in str(warning.message) for warning in caught) == 2


def _contents(folder):
    """{path: bytes} of every file."""
    files = [path for path in folder.rglob('*') if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _wider(params):
    return {'net': {**params['net'], 'kernel': jnp.zeros((40, 31))}}


def _of_another_type(params):
    return {'net': {**params['net'], 'kernel': jnp.zeros((40, 30), jnp.bfloat16)}}


def _without_bias(params):
    return {'net': {k: v for k, v in params['net'].items() if k != 'bias'}}


def _with_scale(params):
    return {'net': {**params['net'], 'scale': jnp.zeros(4)}}


@pytest.mark.parametrize(
    'change, message',
    [
        (_wider, r'params/net/kernel .float32.40, 30. saved, float32.40, 31. expected'),
        (_of_another_type, 'params/net/kernel .float32.* saved, bfloat16.* expected'),
        (_without_bias, 'params/net/bias .float32.4. saved, none expected'),
        (_with_scale, 'params/net/scale .none saved, float32.4. expected'),
    ],
)
def test_another_structure_is_refused_and_nothing_on_disk_is_touched(
    tmp_path, same_bits, change, message
):
    for step in (1, 2):
        checkpoint.save(tmp_path, _state(step, step), step)
    before = _contents(tmp_path)
    other = _state(0).replace(params=change(_state(0).params))
    with pytest.raises(checkpoint.StructureError, match=message):
        _quiet(tmp_path, jax.eval_shape(lambda: other))
    assert _contents(tmp_path) == before
    restored = _quiet(tmp_path)
    assert restored.step == 2
    same_bits(restored.state, _state(2, 2))


def test_damage_is_never_taken_for_another_structure(tmp_path, same_bits):
    """Whichever file is cut: the same bits come back, or it is set aside."""
    checkpoint.save(tmp_path / 'sound', _state(1, 1), 1)
    names = sorted(_contents(tmp_path / 'sound'))
    aside = 0
    for i, name in enumerate(names):
        copy = shutil.copytree(tmp_path / 'sound', tmp_path / str(i))
        _truncate(copy / name)
        with warnings.catch_warnings(record=True):
            warnings.simplefilter('always')
            restored = checkpoint.restore(copy, LIKE)
        if restored is None:
            aside += (copy / 'damaged_1').is_dir()
        else:
            same_bits(restored.state, _state(1, 1))
    assert aside > 0


def test_a_write_that_was_cut_off_is_not_a_checkpoint(tmp_path, same_bits):
    """SIGKILL while saving leaves a folder of another name, in no one's way."""
    checkpoint.save(tmp_path, _state(1, 1), 1)
    part = tmp_path / '2.orbax-checkpoint-tmp'
    part.mkdir()
    (part / 'd').write_bytes(b'half')
    same_bits(_quiet(tmp_path).state, _state(1, 1))
    checkpoint.save(tmp_path, _state(2, 2), 2)
    same_bits(_quiet(tmp_path).state, _state(2, 2))


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / 'file').write_text('in the way')
    with pytest.raises(checkpoint.CheckpointError, match='cannot write checkpoint 1'):
        checkpoint.save(tmp_path / 'file' / 'x', _state(1), 1)


def test_a_process_that_is_gone_is_no_full_disk(tmp_path, monkeypatch):
    def lost(*_):
        raise jax.errors.JaxRuntimeError('UNKNOWN: Gloo AllGather failed')

    monkeypatch.setattr(checkpoint, '_checkpointer', lost)
    with pytest.raises(jax.errors.JaxRuntimeError, match='Gloo'):
        checkpoint.save(tmp_path, _state(1), 1)


FULL_DISK = """
    import pathlib, resource, signal, sys
    import jax, jax.numpy as jnp
    from transfer_jax import training
    from transfer_jax.training import checkpoint

    def state(value, n):
        params = {'net': jnp.full((n,), value)}
        return training.state.create(params, {}, {})

    folder = pathlib.Path(sys.argv[1])
    checkpoint.save(folder, state(1.0, 1_000), 1)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    noise = jax.random.normal(jax.random.key(0), (1_000_000,))  # does not compress
    try:
        checkpoint.save(folder, state(1.0, 1).replace(params={'net': noise}), 2)
    except checkpoint.CheckpointError as error:
        print('refused:', error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    like = jax.eval_shape(lambda: state(1.0, 1_000))
    restored = checkpoint.restore(folder, like)
    print('left:', restored.step, float(restored.state.params['net'].sum()))
"""


def test_a_full_disk_is_a_clear_error_and_the_last_checkpoint_is_kept(tmp_path):
    """A limit on the size of files stands for the full disk."""
    script = textwrap.dedent(FULL_DISK)
    run = subprocess.run(
        [sys.executable, '-c', script, str(tmp_path / 'run')],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert 'refused: cannot write checkpoint 2' in run.stdout
    assert 'make room and start the same command again' in run.stdout
    assert 'File too large. Earlier' in run.stdout and 'Traceback' not in run.stderr
    assert 'left: 1 1000.0' in run.stdout
