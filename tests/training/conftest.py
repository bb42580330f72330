"""A finished run of a system that the library doesn't know."""

import pytest
from running import Line, LineRecipe, numbers, run


@pytest.fixture(scope="session")
def line():
    return Line(LineRecipe(snapshots=(2, 8)))


@pytest.fixture(scope="session")
def data():
    return numbers()


@pytest.fixture(scope="session")
def finished(line, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    run(line, data, folder)
    return folder
