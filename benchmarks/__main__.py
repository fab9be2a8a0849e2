"""All benchmarks, one after another: `make bench`."""

import subprocess
import sys

# The list of all benchmarks: modules of this package with a command line.
NAMES = (
    'dann_step',
    'adaptation_losses',
    'convolution',
    'probes',
    'zero_shot',
    'freezing',
    'shallow',
    'pooling',
    'crf',
    'sweeps',
    'malloc',
    'resnet50',
    'overhead',
    'input_pipeline',
    'hidden_input',
    'scaling',
    'compilation',
    'costs',
)

if __name__ == '__main__':
    for name in NAMES:
        subprocess.run([sys.executable, '-m', f'benchmarks.{name}'], check=True)
