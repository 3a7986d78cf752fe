"""Folders of finished runs, written by hand."""

import json


def write_run(folder, name="a", seed=1, accuracy=0.5, train=None, int8=None, start=None):
    """Writes a run of two of eight epochs, with figures where `train` and `int8` are accuracies.

    `start` is the name of the run that it began from.
    """
    folder.mkdir(parents=True)
    recipe = {"name": name, "epochs": 8, "seed": seed, "start": start}
    (folder / "run.json").write_text(
        json.dumps({"recipe": recipe, "parameters": 9876, "multiply_accumulates": 1_900_000})
    )
    (folder / "log.csv").write_text("epoch,accuracy,val_accuracy\n1,0.3,0.3\n2,0.75,0.4\n")
    (folder / "val.json").write_text(
        json.dumps({"split": "FER-2013 val", "count": 3579, "accuracy": accuracy, "macro_f1": 0.4})
    )
    if train is not None:
        (folder / "train.json").write_text(json.dumps({"accuracy": train}))
    if int8 is not None:
        (folder / "int8.json").write_text(json.dumps({"accuracy": int8}))
