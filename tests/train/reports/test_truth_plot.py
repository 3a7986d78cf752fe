"""`python -m train bench-plot --truth`: the picture of what `bench --truth --json` wrote."""

import json

import pytest

from edge.bench.annotated import GroupResult, annotated_to_dict
from edge.bench.detection_figures import DetectionFigures
from edge.bench.results import Results, to_json
from edge.errors import ConfigError, OutputError
from tests.support.pictures import read_picture
from train.cli.main import main
from train.reports.truth_plot import LoopFigures, read_truth_results, save_truth_png

FOUND = DetectionFigures(
    large_faces=10, large_hits=9, small_faces=4, small_hits=1, wrong=2, covered=[1.0, 0.5]
)


@pytest.fixture
def path(tmp_path):
    plain = GroupResult(["hall"], FOUND, 400.0)
    own = GroupResult(["hall"], FOUND, 10.0)
    empty = GroupResult(["room"], DetectionFigures(), 100.0)
    groups = {
        "a": {"real": plain, "composed": empty, "several": plain},
        "c": {"real": own, "composed": empty, "several": own},
        "haar": {"real": own, "composed": empty, "several": own},
    }
    path = tmp_path / "bench.json"
    path.write_text(to_json(Results({}, truth=annotated_to_dict(groups))))
    return path


def test_figures_are_computed_from_the_counts(path):
    results = read_truth_results(path)
    assert list(results) == ["real", "composed"]
    assert list(results["real"]) == ["a", "c"]  # what --ablation adds is not drawn
    assert results["real"]["c"] == LoopFigures(0.9, 0.25, 10 / 12, 0.75, 0.025)
    assert results["composed"]["c"] == LoopFigures(None, None, None, None, 1.0)


def test_the_command_draws_a_panel_for_each_group(path, tmp_path):
    out = tmp_path / "truth.png"
    assert main(["bench-plot", "--truth", str(path), str(out)]) == 0
    picture = read_picture(out)
    assert picture.shape[1] > 2 * picture.shape[0] > 600


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (to_json(Results({})), "no clips with truth"),
        ('{"version": 1, "truth": {"a": {"real": {}}}}', "no results of"),
        ('{"version": 1, "truth": {"c": {"real": {"cpu_ms": 1}}}}', "no results of"),
        ('{"version": 2}', "results of version 2; expected 1"),
        ("[]", "no results of"),
        ("", "no results of"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, content, message):
    path = tmp_path / "bench.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=rf"bench\.json: {message}"):
        read_truth_results(path)


def test_a_missing_file_and_a_missing_folder(path, tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_truth_results(tmp_path / "none.json")
    with pytest.raises(OutputError, match="No such file"):
        save_truth_png(read_truth_results(path), tmp_path / "none" / "x.png")


def test_what_the_bench_writes_is_json(path):
    assert json.loads(path.read_text())["truth"]["c"]["real"]["clips"] == ["hall"]
