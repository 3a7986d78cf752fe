import io
import json
from dataclasses import replace

import jsonschema
import pytest

from edge.labels import EMOTIONS, GENDERS
from edge.output.jsonl import SCHEMA_PATH, JsonLinesSink, report_to_dict
from edge.types import BoardState, Box, Scores

SCHEMA = json.loads(SCHEMA_PATH.read_text())
BOX = Box(10, 20, 60, 60)


def test_a_line_is_what_the_schema_describes(frame_and_report):
    stream = io.StringIO()
    JsonLinesSink(stream).send(*frame_and_report(7, BOX))
    (line,) = stream.getvalue().splitlines()
    found = json.loads(line)
    emotion = dict(zip(EMOTIONS, (0.01, 0.02, 0.03, 0.8123, 0.04, 0.05, 0.0377), strict=True))
    gender = {"male": 0.25, "female": 0.75}
    assert found == {
        "frame": 7,
        "time": 0.583,
        "fps": 14.12,
        "dropped": 3,
        "temperature": None,
        "throttled": [],
        "light": 0.4,
        "faces": [
            {
                "id": 1,
                "box": [10, 20, 60, 60],
                "confidence": None,
                "emotion": {"label": "happy", "confidence": 0.8123, "scores": emotion, "raw": emotion},
                "gender": {"label": "female", "confidence": 0.75, "scores": gender, "raw": gender},
            }
        ],
    }
    assert list(found) == ["frame", "time", "fps", "dropped", "temperature", "throttled", "light", "faces"]
    jsonschema.validate(found, SCHEMA, jsonschema.Draft202012Validator)


def test_the_state_of_the_board_is_written(frame_and_report):
    frame, report = frame_and_report(7, BOX)
    stream = io.StringIO()
    state = BoardState(81.25, ("under-voltage", "throttled"))
    JsonLinesSink(stream).send(frame, replace(report, board=state))
    found = json.loads(stream.getvalue())
    assert (found["temperature"], found["throttled"]) == (81.25, ["under-voltage", "throttled"])
    jsonschema.validate(found, SCHEMA, jsonschema.Draft202012Validator)


def test_new_readings_of_a_face_are_encoded_anew(frame_and_report):
    stream = io.StringIO()
    sink = JsonLinesSink(stream)
    frame, report = frame_and_report(7, BOX)
    (face,) = report.faces
    emotion = replace(face.emotion, raw=Scores(EMOTIONS, (0, 0, 0, 1, 0, 0, 0)))
    gender = replace(face.gender, raw=Scores(GENDERS, (0, 1)))
    detection = replace(face.detection, confidence=0.5)
    others = [
        replace(face, emotion=emotion),
        replace(face, gender=gender),
        replace(face, detection=detection),
    ]
    reports = [report, report]
    for other in others:
        reports += [replace(report, faces=(other,)), report]
    for sent in reports:
        sink.send(frame, sent)
    written = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert written == [report_to_dict(sent) for sent in reports]


def test_the_schema_is_valid_and_lists_the_labels():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$defs"]["emotion"]["enum"] == list(EMOTIONS)
    assert SCHEMA["$defs"]["gender"]["enum"] == list(GENDERS)


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: line.pop("fps"),
        lambda line: line.update(extra=1),
        lambda line: line.update(frame=1.5),
        lambda line: line["faces"][0].update(id=0),
        lambda line: line["faces"][0].update(box=[1, 2, 3]),
        lambda line: line["faces"][0]["emotion"].update(label="contempt"),
        lambda line: line["faces"][0]["emotion"]["scores"].pop("sad"),
        lambda line: line["faces"][0]["gender"]["scores"].update(male=1.5),
    ],
)
def test_the_schema_refuses_other_lines(frame_and_report, damage):
    stream = io.StringIO()
    JsonLinesSink(stream).send(*frame_and_report(7, BOX))
    line = json.loads(stream.getvalue())
    damage(line)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(line, SCHEMA, jsonschema.Draft202012Validator)
