"""Why a user may not open a device, and the fix."""

import os

import pytest

from edge.system.permissions import explain_denied


def node_of(folder, group, mode):
    """Makes a file that belongs to another user and to the group of a number."""
    node = folder / "video0"
    node.touch()
    os.chown(node, 1, group)
    node.chmod(mode)
    return node


@pytest.mark.parametrize(
    ("has", "is_of", "said"),
    [
        ([7], [7], "this user is in its group 65007 (-rw-rw----"),
        ([], [7], "after the last login; fix: log in again, or `newgrp 65007`"),
        ([], [], "fix: `sudo usermod -aG 65007 $USER`, then log in again"),
    ],
    ids=["a container", "just added", "not of it"],
)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to another user")
def test_why_a_user_may_not_open_a_node_of_a_group(tmp_path, monkeypatch, has, is_of, said):
    node = node_of(tmp_path, 65007, 0o660)
    monkeypatch.setattr(os, "getgroups", lambda: [65000 + number for number in has])
    monkeypatch.setattr(os, "getgrouplist", lambda user, group: [65000 + number for number in is_of])
    assert said in explain_denied(node)


@pytest.mark.parametrize(("group", "mode"), [(0, 0o660), (44, 0o640), (44, 0o600)])
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to another user")
def test_a_node_that_udev_did_not_set_up(tmp_path, group, mode):
    said = explain_denied(node_of(tmp_path, group, mode))
    assert said.startswith("its mode is -rw-")
    assert "expected crw-rw---- root:video; fix: `sudo udevadm trigger" in said
