"""What a file was made of, as contracts of this version and of earlier ones record it."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import ModelError
from edge.inference.contract import Contract, read_model

pytestmark = pytest.mark.train

from quantize.conversion.tta import TestTimeAugmentation  # noqa: E402
from quantize.release.provenance import PROVENANCE, Provenance, read_provenance  # noqa: E402

MODELS = Path(__file__).parents[3] / "models"
TINY = Path(__file__).parents[2] / "models" / "tiny_emotion.tflite"


@pytest.fixture
def contract() -> Contract:
    return read_model(TINY)[0]


def with_training(contract, **training):
    return replace(contract, training=training)


@pytest.mark.parametrize(
    "made_of",
    [
        Provenance("best.keras", TestTimeAugmentation()),
        Provenance(
            "final.keras",
            TestTimeAugmentation(True, (44, 40)),
            (0.1, -0.25, 0.0, 1.0, 0.3, 0.2, 1 / 3),
            "tuned.keras",
            True,
        ),
    ],
)
def test_what_is_written_is_read_again(contract, made_of):
    written = with_training(contract, **{PROVENANCE: made_of.to_dict(), "checkpoint": "prose, of no matter"})
    assert read_provenance(Contract.from_json(written.to_json())) == made_of


@pytest.mark.parametrize("task", ["emotion", "gender"])
def test_a_contract_of_before_provenance_says_the_same_in_its_texts(task):
    shipped = read_model(MODELS / f"{task}_sepnet_48_int8.json")[0]
    made_of = read_provenance(shipped)
    texts = {key: value for key, value in shipped.training.items() if key != PROVENANCE}
    from_texts = read_provenance(replace(shipped, training=texts))
    assert from_texts.logit_offsets == tuple(round(offset, 3) for offset in made_of.logit_offsets)
    exact = replace(from_texts, logit_offsets=made_of.logit_offsets, by_noise=made_of.by_noise)
    assert exact == made_of


def test_the_shipped_files_say_what_they_were_made_of():
    emotion, gender = (
        read_provenance(read_model(MODELS / f"{task}_sepnet_48_int8.json")[0])
        for task in ("emotion", "gender")
    )
    assert (emotion.checkpoint, emotion.fine_tuned) == ("final.keras", None)
    assert emotion.tta == TestTimeAugmentation(True)
    assert emotion.by_noise
    assert len(emotion.logit_offsets) == 7
    assert gender == Provenance("best.keras", TestTimeAugmentation(True))


@pytest.mark.parametrize(
    ("text", "tta"),
    [
        ("the crop", TestTimeAugmentation()),
        ("the crop and its mirror image, the mean of both", TestTimeAugmentation(True)),
        ("the crop and its middle 44 pixels", TestTimeAugmentation(False, (44,))),
        (
            "the crop and its middle 44 pixels and its middle 40 pixels, also mirrored; the mean of all",
            TestTimeAugmentation(True, (44, 40)),
        ),
    ],
)
def test_earlier_contracts_describe_the_views_in_a_text(contract, text, tta):
    assert (
        read_provenance(with_training(contract, checkpoint="best.keras, weights 12", reads=text)).tta == tta
    )


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({}, r"names no training\.checkpoint; expected .*'best\.keras'.*--run"),
        ({"checkpoint": 3}, r"names no training\.checkpoint"),
        (
            {"checkpoint": "best.keras", "reads": "tea leaves"},
            r"training\.reads is 'tea leaves'; expected 'the crop'",
        ),
    ],
)
def test_texts_that_do_not_say_it_are_refused(contract, training, message):
    with pytest.raises(ModelError, match=message):
        read_provenance(with_training(contract, **training))


@pytest.mark.parametrize(
    "change",
    [
        {"checkpoint": None},
        {"fine_tuned": True},
        {"logit_offsets": [1.0]},
        {"logit_offsets": ["0.1"] * 7},
        {"mirror": 1},
        {"zooms": [44.0]},
        {"by_noise": 1},
        {"more": 1},
    ],
)
def test_values_that_cannot_be_are_refused(contract, change):
    content = Provenance("best.keras", TestTimeAugmentation()).to_dict() | change
    with pytest.raises(ModelError, match=r"training\.provenance is .*expected checkpoint, fine_tuned"):
        read_provenance(with_training(contract, **{PROVENANCE: content}))
