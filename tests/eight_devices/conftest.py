"""One device against eight: `JAX_NUM_CPU_DEVICES=8 pytest tests/eight_devices`.

The number of devices is fixed when jax starts, so these tests are a separate command
(of `make test`). Without the eight devices nothing here is collected.
"""

import os

if os.environ.get('JAX_NUM_CPU_DEVICES') != '8':
    collect_ignore_glob = ['*_test.py']
