"""The whole program in a minute on a processor, from a pack to files that other code reads."""

import io
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import asdict
from pathlib import Path

import jax.numpy as jnp
import keras
import numpy as np
import pytest

from train.accelerator.__main__ import main
from train.accelerator.answers import Answers, fingerprint
from train.accelerator.camera import normalized
from train.accelerator.population import Budget, Instance, Method, Population
from train.models.sepnet import build
from train.models.spec import NetSpec, Stage, TeacherSpec, spec_from_dict
from train.training.muon import PointwiseMuon

SPEC = NetSpec(4, (Stage(6, 0, 2, 1),), 4, 2, separable_head=True)


def plain_sampler(key, batch, settings, data):
    del key, settings
    return data["images"][batch].astype(jnp.float32)[..., None], data["targets"][batch]


def population(instances):
    def muon():
        return PointwiseMuon(0.02, weight_decay=None, adam_weight_decay=None)

    return Population(SPEC, instances, Method(muon, plain_sampler, 16))


def test_instances_with_equal_settings_end_alike_and_with_others_not(pack):
    _, arrays = pack
    data = {
        "images": jnp.asarray(arrays["images"][:, 4:52, 4:52]),
        "targets": jnp.asarray(np.eye(2, dtype=np.float32)[arrays["labels"]]),
    }
    rows = jnp.arange(64, dtype=jnp.int32)
    both = population([Instance(1, 0.05), Instance(2, 0.05), Instance(1, 0.0)])
    both.compile(rows, data)
    both.train(rows, data, Budget(epochs=8), lambda _: {})
    again = population([Instance(2, 0.05), Instance(1, 0.0), Instance(1, 0.05)])
    again.adopt(both)  # the settings are no part of the compiled program
    again.train(rows, data, Budget(epochs=8), lambda _: {})
    for index, other in ((0, 2), (1, 0), (2, 1)):
        for ours, theirs in zip(both.weights(index), again.weights(other), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)
    assert both.epochs == len(both.log) == 8
    losses = np.array([row["loss"] for row in both.log])
    assert losses[-1, 0] < 0.5 * losses[0, 0]
    images = jnp.asarray(arrays["val_images"], jnp.float32)[..., None]
    logits = np.asarray(both.predict(images))
    assert (logits[0].argmax(-1) == arrays["val_labels"]).mean() > 0.9
    model = build(SPEC)
    model.set_weights(both.weights(0))
    np.testing.assert_allclose(model.predict(np.asarray(images), verbose=0), logits[0], rtol=1e-3, atol=1e-3)


def test_a_budget_is_used_by_the_shorter_of_time_and_epochs():
    assert Budget(seconds=10).share(5, 100) == 0.5
    assert Budget(epochs=10).share(5, 2) == 0.2
    assert Budget(seconds=10, epochs=10).share(2, 9) == 0.9
    assert Budget(seconds=10).share(11, 0) == 1.0


def test_the_program_writes_every_network(pack, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "train.accelerator", str(pack[0]), str(out), "--seconds", "20"]
    ended = subprocess.run(
        [*command, "--rehearse"], capture_output=True, text=True, check=False, env={**os.environ}
    )
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.name for path in out.iterdir()) == [
        "answers.npz",
        "small.zip",
        "teacher-1.zip",
        "teacher-2.zip",
    ]
    with np.load(out / "answers.npz") as answers:
        assert answers["answers"].shape == (2, 64, 2)
        np.testing.assert_allclose(answers["answers"].astype(float).sum(-1), 1, atol=1e-2)
        assert answers["val_answers"].shape == (32, 2)
    with zipfile.ZipFile(out / "small.zip") as small:
        described = json.loads(small.read("student-3.json"))
        assert described["instance"]["seed"] == 3
        with np.load(small.open("student-3.npz")) as arrays:
            weights = [arrays[name] for name in sorted(arrays.files)]
    build(spec_from_dict(described["spec"])).set_weights(weights)
    assert "the mean of all so far is right in" in ended.stderr
    again = [*command[:4], str(tmp_path / "again"), "--seconds", "15", "--rehearse"]
    ended = subprocess.run(
        [*again, "--answers", str(out / "answers.npz")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ},
    )
    assert ended.returncode == 0, ended.stderr
    assert [path.name for path in (tmp_path / "again").iterdir()] == ["small.zip"]
    assert "teacher" not in ended.stderr


def archived(path, spec, task="gender"):
    """Writes what `train archive` writes of a trained network, as far as it is read here."""
    model = build(spec)
    arrays = {f"{index:04d}": weight for index, weight in enumerate(model.get_weights())}
    content = io.BytesIO()
    np.savez(content, scaling=np.array([1 / 128, -1.0]), **arrays)
    recipe = {"name": path.stem, "task": task, "spec": asdict(spec)}
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("run.json", json.dumps({"recipe": recipe}))
        file.writestr("best.keras.npz", content.getvalue())
    return model


def test_trained_teachers_answer_for_the_students(pack, tmp_path):
    models = []
    for number, widths in enumerate([(4, 6), (4, 8)]):
        keras.utils.set_random_seed(number)
        models.append(archived(tmp_path / f"teacher-{number}.zip", TeacherSpec(widths, 2)))
    out = tmp_path / "out"
    files = [str(tmp_path / f"teacher-{number}.zip") for number in (0, 1)]
    command = [sys.executable, "-m", "train.accelerator", str(pack[0]), str(out), "--seconds", "15"]
    ended = subprocess.run(
        [*command, "--rehearse", "--teachers", *files],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ},
    )
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.name for path in out.iterdir()) == ["answers.npz", "small.zip"]
    images = np.asarray(normalized(jnp.asarray(pack[1]["val_images"], jnp.float32)))
    expected = np.mean(
        [
            keras.ops.softmax(model.predict(view, verbose=0))
            for model in models
            for view in (images, images[:, :, ::-1])
        ],
        axis=0,
    )
    with np.load(out / "answers.npz") as answers:
        # The program reads with fewer digits on most processors' matrix units.
        np.testing.assert_allclose(answers["val_answers"], expected, atol=5e-3)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["none.npz", "out"], 3, "none.npz: no file of `python -m train pack`"),
        (["damaged.npz", "out"], 3, "damaged.npz: no file of `python -m train pack`"),
        (["gender.npz", "there"], 2, "there exists; name another folder"),
        (["gender.npz", "out", "--answers", "none.npz"], 3, "none.npz: no answers of an earlier run"),
        (
            ["gender.npz", "out", "--answers", "other.npz"],
            3,
            "other.npz: the answers are for the pictures of",
        ),
        (["gender.npz", "out", "--answers", "views.npz"], 3, "views.npz: answers for 3 views, expected 12"),
        (["gender.npz", "out", "--seconds", "0"], 2, "--seconds 0: expected more than 0"),
        (["gender.npz", "out", "--teachers", "none.zip"], 3, "none.zip: no archive of a trained run"),
        (["gender.npz", "out", "--teachers", "damaged.npz"], 3, "damaged.npz: no archive of a trained run"),
        (["gender.npz", "out", "--teachers", "small.zip"], 3, "a NetSpec for gender, expected a teacher for"),
        (["gender.npz", "out", "--teachers", "seven.zip"], 3, "for emotion, expected a teacher for gender"),
        (["gender.npz", "out", "--teachers", "seven.zip", "--answers", "a.npz"], 2, "expected one of them"),
    ],
)
def test_a_mistake_is_one_line_and_a_code(pack, tmp_path, monkeypatch, caplog, words, code, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "damaged.npz").write_bytes(b"no pack")
    (tmp_path / "there").mkdir()
    archived(tmp_path / "small.zip", SPEC)
    archived(tmp_path / "seven.zip", TeacherSpec((4, 6), 7), task="emotion")
    for name, pictures in (("other", "0" * 64), ("views", fingerprint(pack[1]))):
        Answers(np.zeros((3, 64, 2), np.float16), np.zeros((32, 2)), pictures).write(Path(f"{name}.npz"))
    assert main([*words, *([] if "--seconds" in words else ["--seconds", "9"])]) == code
    assert len(messages := [each for each in caplog.messages if each.startswith("train.")]) == 1
    assert message in messages[0]
    assert not (tmp_path / "out").exists()
