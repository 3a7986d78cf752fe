"""The loops that are compared."""

from edge.bench.clip import compose, demo_faces
from edge.bench.loops import DESCRIPTIONS, LOOPS, EmotinyLoop
from edge.bench.measure import play

# Without the men's, which are averages of more people and blurred.
CLEAR_FACES = demo_faces()[::2]


def test_every_loop_has_a_description():
    assert list(LOOPS) == list(DESCRIPTIONS) == ["a", "b", "c"]


def test_the_loop_of_this_package_tracks_every_face(settings):
    clip, boxes = compose(CLEAR_FACES, 2, (640, 480), 4)
    run = play(EmotinyLoop(settings), clip)
    assert {face.id for faces in run.observed for face in faces} == {1, 2}
    assert all(max(face.box.iou(box) for box in boxes[-1]) > 0.5 for face in run.observed[-1])


def test_the_other_loops_work_on_every_face_of_every_frame(settings):
    clip, boxes = compose(demo_faces(), 2, (640, 480), 0.2)
    for name in ("a", "b"):
        run = play(LOOPS[name](settings), clip)
        for observed, frame_boxes in zip(run.observed, boxes, strict=True):
            assert {face.id for face in observed} == {0}
            assert all(max(face.box.iou(box) for face in observed) > 0.5 for box in frame_boxes)
        assert all({"detect", "crop", "emotion", "gender"} == set(stages) for stages in run.stages)
