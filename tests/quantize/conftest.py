"""Fixtures of several tests: trained runs of toy recipes, and a calibration list of the toy set."""

from dataclasses import replace

import pytest


@pytest.fixture(scope="session")
def run(toy, toy_recipe, tmp_path_factory):
    """The folder of a finished run of the toy recipe."""
    from train.training.fit import fit

    folder = tmp_path_factory.mktemp("run")
    fit(toy_recipe, toy, folder)
    return folder


@pytest.fixture(scope="session")
def parent(toy, toy_recipe, tmp_path_factory):
    """A trained network of 678 parameters that is pruned."""
    from tests.support.pruning import Parent
    from train.models.spec import NetSpec, Stage
    from train.training.epochs import Checkpoints
    from train.training.fit import fit

    spec = NetSpec(stem=6, stages=(Stage(10, 2),), head=5, classes=7, size=16)
    recipe = replace(toy_recipe, spec=spec, name="parent", epochs=6, views=2)
    folder = tmp_path_factory.mktemp("parent")
    sources = Checkpoints(None, {}, folder / "cache")
    fit(recipe, toy, folder / "run", sources)
    return Parent(recipe, folder / "run", replace(sources, start=folder / "run" / "best.keras"))


@pytest.fixture(scope="module")
def lists(toy, tmp_path_factory):
    """A calibration list of the toy set in place of the committed one."""
    from quantize.conversion import calibration_set

    folder = tmp_path_factory.mktemp("lists")
    calibration_set.save_list("emotion", toy, calibration_set.draw(toy, 10), folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration_set, "LISTS", folder)
        yield
