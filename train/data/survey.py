"""Counts the contents and the faults of a dataset, before it is trained on and for the record."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np

from train.data.dataset import BadRow, Dataset, Split, image_id

SPLITS: tuple[Split, ...] = get_args(Split)
_BAD_SHOWN = 5
_BAD_KEPT = 20


@dataclass(frozen=True)
class Duplicates:
    """Counts of images that a dataset contains several times, equal in every pixel.

    Attributes:
        groups: images that occur more than once; a group is all copies of one image.
        surplus: rows that would be removed if one copy of each image stayed.
        contradicting: groups whose copies have different labels.
        across_splits: groups with copies in different splits.
        leaked: rows outside the training split whose image is in the training split as well.
    """

    groups: int
    surplus: int
    contradicting: int
    across_splits: int
    leaked: int


@dataclass(frozen=True)
class Survey:
    """What a dataset contains, in numbers.

    Attributes:
        name: the dataset's name.
        side: side of its images in pixels.
        label_names: the names of its C labels.
        counts: number of rows per split and label, {split: C numbers}, without empty splits.
        subjects: number of subjects per split; empty for a dataset without the attribute "subject".
        shared_subjects: number of subjects that appear in more than one split.
        bad_count: number of rows left out as damaged.
        bad_rows: the first of these rows.
        left_out: number of rows left out for each known reason, {reason: number}.
        duplicates: counts of equal images.
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
        """Returns the survey as lines of text: a table of rows per split and label, then a line per fault."""
        totals = [sum(column) for column in zip(*self.counts.values(), strict=True)]
        table = [["label", *self.counts, "all", "share"]]
        for label, name in enumerate(self.label_names):
            numbers = [counts[label] for counts in self.counts.values()]
            share = totals[label] / self.total
            table.append([name, *(f"{number:,}" for number in (*numbers, totals[label])), f"{share:.1%}"])
        sums = [sum(counts) for counts in self.counts.values()]
        table.append(["all", *(f"{number:,}" for number in (*sums, self.total)), "100.0%"])
        if self.subjects:
            table.append(["subjects", *(f"{self.subjects[split]:,}" for split in self.counts)])
        return [
            f"{self.name}: {self.total:,} pictures of {self.side}x{self.side}",
            *_aligned(table),
            *([f"subjects in more than one split: {self.shared_subjects:,}"] if self.subjects else []),
            f"damaged, left out: {self.bad_count:,}",
            *(f"  {row.where}: {row.why}" for row in self.bad_rows[:_BAD_SHOWN]),
            f"left out for known reasons: {sum(self.left_out.values()):,}",
            *(f"  {why}: {count:,}" for why, count in self.left_out.items()),
            f"pictures that occur more than once: {self.duplicates.groups:,}, "
            f"{self.duplicates.surplus:,} surplus rows",
            f"  with contradicting labels: {self.duplicates.contradicting:,}",
            f"  in different splits: {self.duplicates.across_splits:,}, "
            f"{self.duplicates.leaked:,} rows outside the training split",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Returns the survey for a JSON file."""
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
    """Counts the rows, subjects and faults of a dataset."""
    counts: dict[Split, tuple[int, ...]] = {}
    subjects: dict[Split, set[int]] = {}
    for split in SPLITS:
        rows = np.flatnonzero(data.splits == split)
        if len(rows):
            label_counts = np.bincount(data.labels[rows], minlength=len(data.label_names))
            counts[split] = tuple(int(number) for number in label_counts)
            if "subject" in data.attributes:
                subjects[split] = set(data.attributes["subject"][rows].tolist())
    return Survey(
        name=data.name,
        side=data.images.shape[1],
        label_names=data.label_names,
        counts=counts,
        subjects={split: len(numbers) for split, numbers in subjects.items()},
        shared_subjects=_count_shared(subjects.values()),
        bad_count=len(data.bad_rows),
        bad_rows=data.bad_rows[:_BAD_KEPT],
        left_out=dict(data.left_out),
        duplicates=find_duplicates(data),
    )


def _count_shared(groups: Iterable[set[int]]) -> int:
    """Returns how many members belong to more than one set."""
    memberships = Counter(member for group in groups for member in group)
    return sum(number > 1 for number in memberships.values())


def find_duplicates(data: Dataset) -> Duplicates:
    """Counts the images that a dataset contains more than once."""
    copies: defaultdict[str, list[int]] = defaultdict(list)
    for row, image in enumerate(data.images):
        copies[image_id(np.ascontiguousarray(image).tobytes())].append(row)
    groups = [rows for rows in copies.values() if len(rows) > 1]
    splits = [data.splits[rows] for rows in groups]
    return Duplicates(
        groups=len(groups),
        surplus=sum(len(rows) - 1 for rows in groups),
        contradicting=sum(len(set(data.labels[rows].tolist())) > 1 for rows in groups),
        across_splits=sum(len(set(names.tolist())) > 1 for names in splits),
        leaked=sum(int((names != "train").sum()) for names in splits if (names == "train").any()),
    )


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Formats rows of cells as lines, the first column aligned left and all others right."""
    widths = [max(len(row[index]) for row in table if index < len(row)) for index in range(len(table[0]))]
    return [
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=False))
        ).rstrip()
        for row in table
    ]
