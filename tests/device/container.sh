#!/bin/bash
# Boots a tree from build_root.sh under real systemd, on a machine whose own first process need not be systemd,
# until somebody powers it off. What is written stays in memory: the tree is not changed.
# usage: container.sh ROOT PAYLOAD          as root; needs systemd-nspawn; PAYLOAD is /payload in there
set -euo pipefail
root=$1 payload=$2
work=$(mktemp -d)
group=emotiny-test-$$

clean() {
    # This machine may have the new hierarchy in one place or in the other.
    for folder in "/sys/fs/cgroup/unified/$group" "/sys/fs/cgroup/$group"; do
        [ ! -d "$folder" ] || find "$folder" -depth -type d -exec rmdir {} + || true
    done
    rmdir "$work"
}
trap clean EXIT

export root payload work group
# shellcheck disable=SC2016  # the inner shell's own variables
unshare --mount --propagation private bash -euc '
    mount -t tmpfs tmpfs "$work"
    mkdir "$work/upper" "$work/lower" "$work/merged"
    mount -t overlay overlay -o "lowerdir=$root,upperdir=$work/upper,workdir=$work/lower" "$work/merged"
    # systemd-nspawn wants a /run of its own, and the guest one hierarchy of control groups.
    mount -t tmpfs tmpfs /run
    mkdir -p /run/systemd
    umount --lazy /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mkdir "/sys/fs/cgroup/$group"
    echo $$ >"/sys/fs/cgroup/$group/cgroup.procs"
    exec systemd-nspawn --quiet --directory "$work/merged" --boot --private-network --register=no --keep-unit \
        --console=pipe --bind-ro="$payload:/payload"
' </dev/null
