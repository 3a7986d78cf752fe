#!/bin/bash
# A disk for machine.sh: Debian with its kernel, Debian packages, and what a script puts in from a folder of wheels.
# usage: build_image.sh FOLDER MIRROR SUITE PACKAGE,PACKAGE... WHEELS SCRIPT WORD...     as root; needs mmdebstrap and e2fsprogs
#        SCRIPT is run in the disk's tree, with the words; WHEELS is /wheels there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1 mirror=$2 suite=$3 packages=$4 wheels=$5 script=$6
shift 6
root=$folder/root

mkdir -p "$folder"
"$here/build_root.sh" "$root" "$mirror" "$suite" "udev,kmod,initramfs-tools,linux-image-amd64,$packages"

cp -r "$wheels" "$root/wheels"
install -m 755 "$script" "$root/script"
chroot "$root" /script "$@"
rm -r "$root/wheels" "$root/script"

install -m 755 "$here/agent.py" "$root/usr/local/sbin/agent"
cp "$here/agent.service" "$root/etc/systemd/system/"
chroot "$root" systemctl --quiet enable agent

cp -L "$root"/boot/vmlinuz-* "$folder/vmlinuz"
cp -L "$root"/boot/initrd.img-* "$folder/initrd.img"
mkfs.ext4 -q -F -L root -d "$root" "$folder/root.ext4.part" 6G
rm -rf "$root"
mv "$folder/root.ext4.part" "$folder/root.ext4"
