"""Fixtures of several tests: a trained run of the toy recipe, and a calibration list of the toy set."""

import pytest


@pytest.fixture(scope="session")
def run(toy, toy_recipe, tmp_path_factory):
    """The folder of a finished run of the toy recipe."""
    from train.training.fit import fit

    folder = tmp_path_factory.mktemp("run")
    fit(toy_recipe, toy, folder)
    return folder


@pytest.fixture(scope="module")
def lists(toy, tmp_path_factory):
    """A calibration list of the toy set in place of the committed one."""
    from quantize.conversion import calibration_set

    folder = tmp_path_factory.mktemp("lists")
    calibration_set.save_list("emotion", toy, calibration_set.draw(toy, 10), folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration_set, "LISTS", folder)
        yield
