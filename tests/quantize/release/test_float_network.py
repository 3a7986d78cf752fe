"""Name and views of the int8 file of a run."""

import pytest

pytestmark = pytest.mark.train

from quantize.conversion.tta import TestTimeAugmentation  # noqa: E402
from quantize.release.float_network import name_of, tta_for  # noqa: E402


def settings(task="emotion", size=48, augmentation=None):
    return {"recipe": {"task": task, "spec": {"size": size}, "augmentation": augmentation}}


@pytest.mark.parametrize(
    ("run", "mirror"),
    [
        (settings(augmentation={"flip": 0.5}), True),
        (settings(augmentation={"flip": 0}), False),
        (settings(), False),
        (settings("gender", augmentation={"flip": 0.5}), True),
    ],
    ids=["emotion", "trained without mirroring", "not augmented", "gender"],
)
def test_the_mirror_image_is_read_too_if_the_network_was_trained_with_it(run, mirror):
    assert tta_for(run) == TestTimeAugmentation(mirror)


def test_a_file_is_named_after_task_and_size():
    assert name_of(settings("gender", 40)) == "gender_sepnet_40_int8"
