"""What several of these tests quantize."""

import pytest


@pytest.fixture(scope="session")
def run(toy, toy_recipe, tmp_path_factory):
    """The folder of a finished run of the toy recipe."""
    from train.training.fit import fit

    folder = tmp_path_factory.mktemp("run")
    fit(toy_recipe, toy, folder)
    return folder
