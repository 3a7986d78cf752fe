"""What is trained for each task, and how the time is shared out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from train.accelerator.camera import Geometry
from train.accelerator.population import Instance
from train.models.spec import NetSpec, Stage, TeacherSpec

_TEACHER, _VIEW, _STUDENT = Geometry(15, 0.08, 1.15), Geometry(10, 0.06, 1.1), Geometry(20, 0.1, 1.2)


@dataclass(frozen=True)
class Plan:
    """Teachers, then structures of students, then the best structure with several seeds.

    Attributes:
        teacher: the spec of all teachers; their seeds are 1, 2, and so on.
        teachers: number of teachers.
        teachers_share: share of the time for all teachers together, 0 to 1.
        structures: {name: spec} of the students that are compared.
        search_share: share of the time for comparing them; what is left trains the best.
        trials: the settings that each structure is tried with, side by side.
        seeds: seeds of the best structure, as many as there are trials.
        votes: share of the annotators' votes in the teachers' targets.
        smoothing: share of the teachers' targets that is spread over all labels.
        repeats: {label: how many times more its rows are shown in an epoch}.
        views: number of views that the teachers answer for.
        teacher_rate: peak of the teachers' learning rate.
        teacher_clean: share of pictures that a teacher sees as they are.
        teacher_geometry: how a teacher's pictures are moved.
        view_geometry: how the views are moved that the teachers answer for.
        student_geometry: how a student's pictures are moved against the view that was answered.
        teacher_batch: pictures in a teacher's step.
        student_batch: pictures in a student's step.
        teacher_precision: Keras' dtype policy of the teachers.
    """

    teacher: TeacherSpec
    teachers: int
    teachers_share: float
    structures: Mapping[str, NetSpec]
    search_share: float
    trials: Sequence[Instance]
    seeds: Sequence[int] = (1, 2, 3)
    votes: float = 0.0
    smoothing: float = 0.0
    repeats: Mapping[int, int] = field(default_factory=dict)
    views: int = 16
    teacher_rate: float = 2e-3
    teacher_clean: float = 0.85
    teacher_geometry: Geometry = _TEACHER
    view_geometry: Geometry = _VIEW
    student_geometry: Geometry = _STUDENT
    teacher_batch: int = 128
    student_batch: int = 128
    teacher_precision: str = "mixed_bfloat16"

    def rehearsed(self) -> Plan:
        """Returns a plan for a minute on a processor: the same stages with tiny teachers."""
        return replace(
            self,
            teacher=replace(self.teacher, widths=(4, 8, 8)),
            teachers=2,
            structures=dict([*self.structures.items()][:1]),
            views=2,
            teacher_batch=32,
            student_batch=32,
            teacher_precision="float32",
        )


def _net(stem: int, *stages: Stage, head: int = 16, classes: int = 7) -> NetSpec:
    return NetSpec(stem, stages, head, classes, separable_head=True)


def _trials(teaching: float) -> list[Instance]:
    # With 0.65 of the views clean instead of 0.85, a student of 10,000 parameters loses 1.7 points on clean
    # pictures and gains at most one on the others.
    settings = ((0.02, 0.85), (0.04, 0.85), (0.02, 0.92))
    return [Instance(1, rate, {"teaching": teaching, "clean": clean}) for rate, clean in settings]


PLANS: dict[str, Plan] = {
    "emotion": Plan(
        teacher=TeacherSpec((40, 64, 128, 256), classes=7, dropout=0.4),
        teachers=5,
        teachers_share=0.33,
        structures={
            # Two looks at each of them cost no more than a reading of mini-Xception.
            "two-wide": _net(16, Stage(32, 0, 1, 2), Stage(48, 0, 2, 3), Stage(48, 0, 1, 3), head=22),
            "small-last": _net(16, Stage(32, 0, 1, 2), Stage(48, 0, 2, 3), Stage(48, 0, 2, 3), head=25),
        },
        search_share=0.23,
        trials=_trials(0.9),
        votes=0.3,
        repeats={1: 5},  # disgust: 436 of 28,558 pictures
    ),
    "gender": Plan(
        teacher=TeacherSpec((32, 48, 96, 192), classes=2, dropout=0.4),
        teachers=3,
        teachers_share=0.40,
        structures={
            "narrow-wide": _net(
                12, Stage(20, 0, 1, 1), Stage(40, 0, 2, 3), Stage(40, 0, 1, 2), head=17, classes=2
            ),
            "one-wide": _net(16, Stage(32, 0, 1, 2), Stage(48, 0, 2, 6), head=15, classes=2),
            "two": _net(16, Stage(32, 0, 1, 2), Stage(32, 0, 2, 3), Stage(32, 0, 1, 3), head=24, classes=2),
        },
        search_share=0.15,
        trials=_trials(0.8),
        smoothing=0.05,
        views=12,
    ),
}
