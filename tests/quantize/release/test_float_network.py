"""Name and views of the int8 file of a run."""

import pytest

pytestmark = pytest.mark.train

from quantize.conversion.tta import TestTimeAugmentation  # noqa: E402
from quantize.release.float_network import name_of, tta_for  # noqa: E402


def settings(task="emotion", size=48, augmentation=None):
    return {"recipe": {"task": task, "spec": {"size": size}, "augmentation": augmentation}}


@pytest.mark.parametrize(
    ("run", "tta"),
    [
        (settings(augmentation={"flip": 0.5}), TestTimeAugmentation(True, (44,))),
        (settings(augmentation={"flip": 0}), TestTimeAugmentation(False, (44,))),
        (settings(), TestTimeAugmentation(False, (44,))),
        (settings(size=64, augmentation={"flip": 0.5}), TestTimeAugmentation(True)),
        (settings("gender", augmentation={"flip": 0.5}), TestTimeAugmentation(True)),
    ],
    ids=["emotion", "trained without mirroring", "not augmented", "another size", "gender"],
)
def test_views_depend_on_task_size_and_how_the_network_was_trained(run, tta):
    assert tta_for(run) == tta


def test_a_file_is_named_after_task_and_size():
    assert name_of(settings("gender", 40)) == "gender_sepnet_40_int8"
