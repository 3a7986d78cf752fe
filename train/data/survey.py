"""What a dataset holds and what is wrong with it, in figures: before it is trained on, and for the record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np

from train.data.dataset import BadRow, Dataset, Split, image_id

SPLITS: tuple[Split, ...] = get_args(Split)
_BAD_SHOWN = 5
_BAD_KEPT = 20


@dataclass(frozen=True)
class Duplicates:
    """Pictures of which a set holds several copies, equal in every pixel.

    Attributes:
        groups: pictures that stand there more than once.
        surplus: rows that would go if each picture were kept once.
        contradicting: groups whose copies have different labels.
        across_splits: groups with copies in different splits: what leaks from training into figures.
        leaked: rows outside the training split whose picture also stands in it.
    """

    groups: int
    surplus: int
    contradicting: int
    across_splits: int
    leaked: int


@dataclass(frozen=True)
class Survey:
    """A dataset in figures.

    Attributes:
        name: the set.
        side: of its pictures, pixels.
        label_names: C labels.
        counts: rows per split and label, {split: C numbers}; empty splits are not there.
        people: {split: number of different people}, empty for a set that does not know who is in a picture.
        shared_people: people who stand in more than one split.
        bad_count: rows left out as damaged.
        bad_rows: the first of them.
        left_out: rows left out for a known reason, {reason: number}.
        duplicates: equal pictures among the rows.
    """

    name: str
    side: int
    label_names: tuple[str, ...]
    counts: Mapping[Split, tuple[int, ...]]
    subjects: Mapping[Split, int]
    shared_subjects: int
    bad_count: int
    bad_rows: tuple[BadRow, ...]
    left_out: Mapping[str, int]
    duplicates: Duplicates

    @property
    def total(self) -> int:
        """Number of usable rows."""
        return sum(map(sum, self.counts.values()))

    def to_lines(self) -> list[str]:
        """The survey for a person: a table of rows per split and label, then what is wrong, a line each."""
        totals = [sum(column) for column in zip(*self.counts.values(), strict=True)]
        table = [["label", *self.counts, "all", "share"]]
        for label, name in enumerate(self.label_names):
            numbers = [counts[label] for counts in self.counts.values()]
            share = totals[label] / self.total
            table.append([name, *(f"{number:,}" for number in (*numbers, totals[label])), f"{share:.1%}"])
        sums = [sum(counts) for counts in self.counts.values()]
        table.append(["all", *(f"{number:,}" for number in (*sums, self.total)), "100.0%"])
        if self.subjects:
            table.append(["people", *(f"{self.subjects[split]:,}" for split in self.counts)])
        return [
            f"{self.name}: {self.total:,} pictures of {self.side}x{self.side}",
            *_aligned(table),
            *([f"people in more than one split: {self.shared_subjects:,}"] if self.subjects else []),
            f"damaged, left out: {self.bad_count:,}",
            *(f"  {row.where}: {row.why}" for row in self.bad_rows[:_BAD_SHOWN]),
            f"left out for known reasons: {sum(self.left_out.values()):,}",
            *(f"  {why}: {count:,}" for why, count in self.left_out.items()),
            f"pictures that stand there more than once: {self.duplicates.groups:,}, "
            f"{self.duplicates.surplus:,} rows too many",
            f"  with contradicting labels: {self.duplicates.contradicting:,}",
            f"  in different splits: {self.duplicates.across_splits:,}, "
            f"{self.duplicates.leaked:,} rows outside the training split",
        ]

    def to_dict(self) -> dict[str, Any]:
        """The survey as JSON holds it."""
        named = {split: dict(zip(self.label_names, row, strict=True)) for split, row in self.counts.items()}
        return {
            "name": self.name,
            "total": self.total,
            "side": self.side,
            "labels": list(self.label_names),
            "counts": named,
            "people": dict(self.subjects),
            "shared_people": self.shared_subjects,
            "bad_count": self.bad_count,
            "bad_rows": [asdict(row) for row in self.bad_rows],
            "left_out": dict(self.left_out),
            "duplicates": asdict(self.duplicates),
        }


def survey(data: Dataset) -> Survey:
    """Counts what a dataset holds."""
    counts: dict[Split, tuple[int, ...]] = {}
    people: dict[Split, set[int]] = {}
    for split in SPLITS:
        rows = np.flatnonzero(data.splits == split)
        if len(rows):
            found = np.bincount(data.labels[rows], minlength=len(data.label_names))
            counts[split] = tuple(int(number) for number in found)
            if "subject" in data.attributes:
                people[split] = set(data.attributes["subject"][rows].tolist())
    return Survey(
        name=data.name,
        side=data.images.shape[1],
        label_names=data.label_names,
        counts=counts,
        subjects={split: len(found) for split, found in people.items()},
        shared_subjects=sum(map(len, people.values())) - len(set().union(*people.values())),
        bad_count=len(data.bad_rows),
        bad_rows=data.bad_rows[:_BAD_KEPT],
        left_out=dict(data.left_out),
        duplicates=find_duplicates(data),
    )


def find_duplicates(data: Dataset) -> Duplicates:
    """Counts the pictures that stand in a dataset more than once."""
    copies: defaultdict[str, list[int]] = defaultdict(list)
    for row, image in enumerate(data.images):
        copies[image_id(np.ascontiguousarray(image).tobytes())].append(row)
    groups = [rows for rows in copies.values() if len(rows) > 1]
    splits = [data.splits[rows] for rows in groups]
    return Duplicates(
        groups=len(groups),
        surplus=sum(len(rows) - 1 for rows in groups),
        contradicting=sum(len(set(data.labels[rows].tolist())) > 1 for rows in groups),
        across_splits=sum(len(set(met.tolist())) > 1 for met in splits),
        leaked=sum(int((met != "train").sum()) for met in splits if (met == "train").any()),
    )


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines: the first column to the left, figures to the right."""
    widths = [max(len(row[place]) for row in table if place < len(row)) for place in range(len(table[0]))]
    return [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=False))
        ).rstrip()
        for row in table
    ]
