"""The table and the plot of networks on corrupted faces."""

import pytest

pytestmark = pytest.mark.train

from tests.support.pictures import read_picture  # noqa: E402
from train.evaluation.corruptions import CORRUPTIONS  # noqa: E402
from train.evaluation.robustness import CorruptionFigures, Robustness  # noqa: E402
from train.reports.robustness_plot import robustness_lines, save_robustness_png  # noqa: E402


def robustness(accuracy):
    return Robustness("toy val", 1234, dict.fromkeys(CORRUPTIONS, CorruptionFigures(accuracy, 0.031)))


def test_the_table_has_a_line_for_every_corruption_and_columns_for_every_network():
    lines = list(robustness_lines({"a": robustness(0.5), "a-network-with-a-long-name": robustness(0.625)}))
    assert lines[0] == "a: toy val, 1,234 pictures"
    assert next(line for line in lines if line.startswith("camera accuracy")).split() == [
        *("camera", "accuracy", "50.0%", "62.5%")
    ]
    for name in CORRUPTIONS:
        cells = next(line for line in lines if line.startswith(name)).split()
        assert cells[-4:] == ["50.0%", "3.1%", "62.5%", "3.1%"]
    ends = {len(line) for line in lines if line.endswith("3.1%")}
    assert len(ends) == 1
    assert any(line.startswith("16 px *") for line in lines)
    assert not any(line.startswith("clean *") for line in lines)


@pytest.mark.parametrize("count", [1, 8])
def test_the_plot_holds_any_number_of_networks(tmp_path, count):
    path = tmp_path / "robustness.png"
    save_robustness_png({f"network {number}": robustness(number / 10) for number in range(count)}, path)
    picture = read_picture(path)
    assert picture is not None
    assert picture.std() > 5
