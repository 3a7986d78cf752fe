"""Groups of keys that are merged."""

import numpy as np

from quantize.union_find import UnionFind


def test_groups_are_those_of_a_slow_search():
    random = np.random.default_rng(0)
    groups, sets = UnionFind[int](), [{key} for key in range(40)]
    for one, other in random.integers(0, 40, (30, 2)).tolist():
        groups.union(one, other)
        merged = next(each for each in sets if one in each) | next(each for each in sets if other in each)
        sets = [merged, *(each for each in sets if not each & merged)]
        assert len({groups.find(key) for key in range(40)}) == len(sets)
        assert all(len({groups.find(key) for key in each}) == 1 for each in sets)


def test_a_key_that_is_merged_twice_stays_in_both_groups():
    groups = UnionFind[str]()
    groups.union("a", "b")
    groups.union("a", "c")
    assert groups.find("a") == groups.find("b") == groups.find("c") != groups.find("d")
