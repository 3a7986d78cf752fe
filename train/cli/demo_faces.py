"""`demo-faces`: computes the demo's faces from averages over FER-2013."""

from __future__ import annotations

import argparse
import logging

import cv2

from edge.errors import OutputError
from train.data import find_named, load_fer2013
from train.data.ferplus import with_votes
from train.demo_faces import average_faces, classify_genders

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> None:
    """Writes a PNG file for each label and apparent gender."""
    file = find_named("fer2013", arguments.data)
    data = with_votes(load_fer2013(file), file)
    faces = average_faces(data, classify_genders(data.part("train").images))
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, face in faces.items():
        path = arguments.out / f"{name}.png"
        if not cv2.imwrite(str(path), face):
            raise OutputError(f"cannot write {path}")
        logger.info("%s", path)
