"""Fixtures of the data tests."""

import os
import warnings

import pytest

from transfer_jax.data import files


def pytest_configure(config):
    config.addinivalue_line('markers', 'real_data: needs data sets on disk')


@pytest.fixture
def data_dir():
    """`data_dir(name, ...)`: the search path, if all the named sets are on it."""

    def search_path(*names: str) -> str:
        path = os.environ.get(files.VARIABLE)
        if not path:
            pytest.skip(f'${files.VARIABLE} is not set')
        for name in names:
            if not files.find(name, files.data_dirs(path)):
                pytest.skip(f'{name} is not under ${files.VARIABLE}')
        return path

    return search_path


@pytest.fixture
def no_warnings():
    """A test names the warnings that it expects."""
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        yield
