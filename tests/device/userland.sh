#!/bin/bash
# Holds a tree from build_userland.sh open for nsenter, says "ready", and ends when it is killed or after two hours.
# What is written stays in memory, the tree is not changed, and there is no network.
# usage: userland.sh ROOT PAYLOAD WORK          as root; PAYLOAD is /payload in there, WORK an empty folder
set -euo pipefail
export root=$1 payload=$2 work=$3

# One process from here on, so that whoever started it knows its number.
# shellcheck disable=SC2016  # the inner shell's own variables
exec unshare --mount --net --propagation private bash -euc '
    mount -t tmpfs tmpfs "$work"
    mkdir "$work/upper" "$work/lower" "$work/merged"
    mount -t overlay overlay -o "lowerdir=$root,upperdir=$work/upper,workdir=$work/lower" "$work/merged"
    mount --bind "$payload" "$work/merged/payload"
    mount -t proc proc "$work/merged/proc"
    mount --rbind /dev "$work/merged/dev"
    # No /sys: it tells of a processor that is not the emulated one, at which LiteRT ends with a segmentation fault.
    exec chroot "$work/merged" /bin/sh -c "echo ready; exec sleep 7200"
'
