"""python -m experiments.weights: inspect and convert."""

import numpy as np
import pytest

from experiments import weights as command
from transfer_jax.models import weights


def _squeezenet():
    """Arrays with SqueezeNet's names; their shapes do not matter to names alone."""
    named = {}
    for layer in weights.MAPPINGS['squeezenet'].layers:
        named[f'{layer}.weight'] = np.full((2, 3, 1, 1), 2, np.float16)
        named[f'{layer}.bias'] = np.ones(2, np.float32)
    return named


def test_inspect(tmp_path, capsys):
    file = tmp_path / 'some.npz'
    np.savez(file, **_squeezenet())
    command.main(['inspect', str(file)])
    text = capsys.readouterr().out
    assert 'features.3.squeeze.weight' in text
    assert 'float16  (2, 3, 1, 1)' in text
    assert '52 arrays, 208 numbers' in text
    assert 'fits: squeezenet\n' in text
    np.savez(file, a=np.ones(2))
    command.main(['inspect', str(file)])
    assert 'fits: no architecture here' in capsys.readouterr().out


def test_convert_writes_our_names_and_they_are_read_again(tmp_path, capsys):
    file, out = tmp_path / 'some.npz', tmp_path / 'out.safetensors'
    np.savez(file, **_squeezenet())
    args = ['convert', str(file), '--to', str(out), '--architecture', 'squeezenet']
    command.main(args)
    assert '52 arrays of squeezenet' in capsys.readouterr().out
    converted = weights.read(out)
    kernel = converted['params/fire2/squeeze/conv/kernel']
    assert (kernel.shape, kernel.dtype) == ((1, 1, 3, 2), np.float32)
    assert weights.fitting(converted) == ['squeezenet']
    with pytest.raises(SystemExit) as stop:
        command.main(args)
    assert stop.value.code == 2
    assert 'exists already' in capsys.readouterr().err


@pytest.mark.parametrize(
    'change, message',
    [
        (('--architecture', 'vgg16'), 'not the weights of vgg16'),
        (('--architecture', 'vgg'), "no architecture 'vgg'; there is squeezenet"),
        (('--to', 'out.npz'), 'ends in .safetensors'),
    ],
)
def test_errors_are_one_line(tmp_path, capsys, change, message):
    file = tmp_path / 'some.npz'
    np.savez(file, **_squeezenet())
    arguments = {'--to': str(tmp_path / 'o.safetensors'), '--architecture': 'alexnet'}
    arguments |= dict([change])
    flat = [text for pair in arguments.items() for text in pair]
    with pytest.raises(SystemExit) as stop:
        command.main(['convert', str(file), *flat])
    assert stop.value.code == 2
    text = capsys.readouterr().err
    assert message in text
    assert len(text.strip().splitlines()) == 1
    assert len(text) < 500


def test_help(capsys):
    with pytest.raises(SystemExit):
        command.main(['convert', '--help'])
    text = capsys.readouterr().out
    assert 'OUT.safetensors' in text and 'Whose names the file has' in text
