"""The fuzzer notices what it searches for, and goes on."""

import pytest

from tests.fuzz.supervisor import Supervisor
from tests.support.fuzz_targets import PLACE


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory):
    with Supervisor(PLACE, tmp_path_factory.mktemp("faulty"), limit_s=6.0, command_s=40.0) as supervisor:
        yield supervisor


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("die", "the process dies of SIGSEGV"),
        ("exit", "the process dies with exit code 7"),
        ("hang", "hangs: no answer within 6 s"),
        ("raise", "ZeroDivisionError"),
        ("break", "a wrong effect"),
        ("leave", "the parser ends the program with 3"),
        ("log", "logged by edge: two\nlines"),
        ("thread", "in a thread: Traceback"),
        ("grow", "MB of memory"),
    ],
)
def test_a_failure_is_seen_and_the_next_input_is_tried(supervisor, content, text):
    supervisor.run(b"accept")  # a worker's first input has the time that its start takes, too
    outcome = supervisor.run(content.encode())
    assert outcome.kind == "failure"
    assert text in outcome.text
    accepted, refused = supervisor.run(b"accept"), supervisor.run(b"refuse")
    assert (accepted.kind, accepted.text) == ("accepted", "")
    assert (refused.kind, refused.text) == ("refused", "no way")
    assert accepted.peak_kb < 400_000


def test_the_command_line_must_do_the_same(supervisor):
    assert supervisor.run(b"accept", sampled=True).kind == "accepted"
    assert supervisor.run(b"refuse", sampled=True).kind == "refused"
    wrong = supervisor.run(b"wrong", sampled=True)
    assert wrong.kind == "failure"
    assert "ends with exit code 2, expected 0" in wrong.text
