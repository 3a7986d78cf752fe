"""Offsets in a TFLite file: those of whole files stay within it, and wrong ones are found."""

import random
import struct

import pytest

from edge.errors import ModelError
from edge.inference.contract import MODELS_FOLDER, find_model, read_model
from edge.inference.flatbuffer import check_offsets
from edge.labels import FACE_TASKS, TASKS


@pytest.fixture
def content(models):
    return (models / "tiny_emotion.tflite").read_bytes()


@pytest.mark.parametrize("task", [*TASKS, *FACE_TASKS])
def test_the_networks_of_the_package_are_whole(task):
    content = read_model(find_model(MODELS_FOLDER, task))[1]
    check_offsets(content)
    check_offsets(content + b"\xff" * 100)


def test_what_other_converters_write_is_whole(content, models):
    check_offsets(content)
    check_offsets((models / "int8_pixels" / "tiny_gender.tflite").read_bytes())


def test_a_file_that_was_cut_off_is_not_whole(content):
    for size in range(0, len(content) - 8, 37):
        with pytest.raises(ModelError, match="an offset in it leads out of the file"):
            check_offsets(content[:size])


def test_each_offset_is_followed(content):
    """With any of them wrong, a runtime would read what is not its own."""
    (root,) = struct.unpack_from("<I", content)
    for wrong in (len(content), 1 << 31, 0xFFFFFFFF):
        with pytest.raises(ModelError, match="leads out"):
            check_offsets(struct.pack("<I", wrong) + content[4:])
    (distance,) = struct.unpack_from("<i", content, root)
    places = struct.unpack_from("<3H", content, root - distance + 6)  # operator codes, subgraphs, description
    for place in filter(None, places):
        for wrong in (len(content), 0xFFFFFFF0):
            at = root + place
            with pytest.raises(ModelError, match="leads out"):
                check_offsets(content[:at] + struct.pack("<I", wrong) + content[at + 4 :])


# Flipped, they make tflite-runtime read behind the file: a trial passed by luck, and this process died.
@pytest.mark.parametrize("bit", [3084, 1900, 18240])
def test_bits_by_which_a_runtime_leaves_the_file(content, bit):
    with pytest.raises(ModelError, match="leads out"):
        check_offsets(flipped(content, bit))


def test_whatever_bit_is_flipped_it_is_an_error_or_none(content):
    rng = random.Random(0)
    refused = 0
    for _ in range(3000):
        try:
            check_offsets(flipped(content, rng.randrange(8 * len(content))))
        except ModelError:
            refused += 1
    assert 600 < refused < 2000


def flipped(content, bit):
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
