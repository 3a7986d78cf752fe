"""The table of a pruning's steps."""

import pytest

from edge.errors import DataError

pytestmark = pytest.mark.train

from quantize.pruning.steps import PruningStep, read_steps, write_steps  # noqa: E402

STEPS = (
    PruningStep(0, 678, 12_345, 0.5, 0.5, "stem 6, stage0 10, head 5"),
    PruningStep(1, 540, 9_876, 1 / 3, 0.45, "stem 5, stage0 9, head 4"),
)


def test_what_is_written_is_read_again(tmp_path):
    write_steps(STEPS[:1], tmp_path / "steps.csv")
    write_steps(STEPS, tmp_path / "steps.csv")
    assert read_steps(tmp_path / "steps.csv") == STEPS
    assert [path.name for path in tmp_path.iterdir()] == ["steps.csv"]


@pytest.mark.parametrize(
    "content", [None, "number,parameters\n1,2\n", "number,parameters,multiply_accumulates\nx,2,3\n"]
)
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "steps.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=r"steps\.csv: no table of pruning steps"):
        read_steps(path)
