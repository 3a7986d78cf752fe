"""`scenes`: how well the files in a folder find faces in whole scenes."""

from __future__ import annotations

import argparse

from edge.detection.joint_judge import JointJudge
from edge.detection.proposal import ProposalNetwork
from edge.detection.refinement import RefinementNetwork
from edge.inference.contract import find_model
from quantize.verification.scene_judgements import LIGHTS, PRECISIONS, judge_scenes
from train.data.locate import find_scenes
from train.data.scenes import load_scenes


def run(arguments: argparse.Namespace) -> None:
    """Prints recall by the face alone and by both judges, and the weights that fit best."""
    proposal, refinement = (find_model(arguments.models, task) for task in ("proposal", "refinement"))
    # Below the device's threshold, too: what a lower one would add is seen.
    proposer = ProposalNetwork(proposal, threshold=0.1)
    judge = JointJudge(RefinementNetwork(refinement), proposal)
    scenes = load_scenes(find_scenes(arguments.data)).part("val")
    found = judge_scenes(scenes, proposer, judge)
    face, surroundings, bias = found.weights()
    both = face * found.face + surroundings * found.surroundings
    print(f"{len(scenes)} scenes in three sizes; {len(found.face)} squares, {found.is_face.mean():.1%} faces")
    for light, name in enumerate(LIGHTS):
        print(f"{name}, {found.faces[light]} faces; recall at a precision of")
        for label, odds in (("the face alone", found.face), ("both judges", both)):
            recalls = ", ".join(f"{p:.0%}: {found.recall(odds, light, p):.3f}" for p in PRECISIONS)
            print(f"  {label:<15} {recalls}")
    print(f"weights: face {face:.2f}, surroundings {surroundings:.2f}, bias {bias:.2f}")
