#!/bin/bash
# A Debian tree with systemd, for a container or a virtual machine.
# usage: build_root.sh ROOT MIRROR SUITE PACKAGE,PACKAGE...        as root; needs mmdebstrap
set -euo pipefail
root=$1 mirror=$2 suite=$3 packages=$4

# A tree that is half done must not be taken for one.
rm -rf "$root" "$root.part"
mmdebstrap --quiet --variant=minbase --include="systemd,systemd-sysv,dbus,python3,python3-venv,make,$packages" \
    "$suite" "$root.part" "deb $mirror $suite main" "deb $mirror $suite-updates main"
echo emotiny-test >"$root.part/etc/hostname"
# Packages start their services at boot; a test starts what it needs.
rm -f "$root.part"/etc/systemd/system/multi-user.target.wants/mosquitto.service
mv "$root.part" "$root"
