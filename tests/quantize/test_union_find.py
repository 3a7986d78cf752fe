"""Groups of keys that are merged."""

from quantize.union_find import UnionFind


def test_keys_are_in_one_group_once_they_are_merged_over_others():
    groups = UnionFind[str]()
    groups.union("a", "b")
    groups.union("c", "d")
    assert groups.find("a") == groups.find("b") != groups.find("c")
    groups.union("b", "d")
    assert len({groups.find(key) for key in "abcd"}) == 1


def test_a_new_key_is_a_group_of_its_own():
    groups = UnionFind[str]()
    groups.union("a", "b")
    assert groups.find("e") == "e"
    groups.union("e", "e")
    assert groups.find("e") == "e" != groups.find("a")
