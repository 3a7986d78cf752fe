"""A union-find: keys in groups that can be merged, but not split."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)


class UnionFind(Generic[_Key]):
    """Disjoint groups of keys. A key that was never named before is a group of its own."""

    def __init__(self) -> None:
        self._parents: dict[_Key, _Key] = {}

    def find(self, key: _Key) -> _Key:
        """Returns the member that stands for the group of a key; it may change when groups are merged."""
        while (parent := self._parents.setdefault(key, key)) != key:
            key = parent
        return key

    def union(self, one: _Key, other: _Key) -> None:
        """Merges the groups of two keys."""
        self._parents[self.find(one)] = self.find(other)
