#!/bin/bash
# A Debian tree without a kernel or a first process, of this machine's processor or of another that is emulated.
# usage: build_userland.sh ROOT MIRROR ARCHITECTURE SUITE PACKAGE,PACKAGE...
#        as root; needs mmdebstrap, for another architecture qemu-user-static and arch-test, too
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$1 mirror=$2 architecture=$3 suite=$4 packages=$5

"$here/emulate.sh" "$architecture"
# A tree that is half done must not be taken for one.
rm -rf "$root" "$root.part"
mmdebstrap --quiet --variant=minbase --architectures="$architecture" --dpkgopt=force-unsafe-io \
    --include="$packages" "$suite" "$root.part" "deb $mirror $suite main" "deb $mirror $suite-updates main"
# Of systemd only the place of units: nothing here starts any.
mkdir -p "$root.part/etc/systemd/system" "$root.part/payload"
mv "$root.part" "$root"
