#!/bin/bash
# A disk for machine.sh: Debian's kernel, v4l2loopback, and the service's packages in /opt/emotiny, not the service itself.
# usage: build_image.sh FOLDER MIRROR WHEELS REQUIREMENT...          as root; needs mmdebstrap and e2fsprogs
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1 mirror=$2 wheels=$3
shift 3
root=$folder/root

mkdir -p "$folder"
"$here/build_root.sh" "$root" "$mirror" \
    udev,kmod,initramfs-tools,linux-image-amd64,linux-headers-amd64,v4l2loopback-dkms,v4l-utils,ffmpeg,mosquitto,mosquitto-clients

# Built when its package was installed, though the kernel that runs here is another.
[ -e "$(echo "$root"/lib/modules/*/updates/dkms/v4l2loopback.ko)" ] ||
    { echo "build_image: v4l2loopback was not built" >&2; exit 1; }

cp -r "$wheels" "$root/wheels"
chroot "$root" python3 -m venv /opt/emotiny
chroot "$root" /opt/emotiny/bin/pip install --quiet --disable-pip-version-check --no-index --find-links /wheels "$@"
rm -rf "$root/wheels"

install -m 755 "$here/agent.py" "$root/usr/local/sbin/agent"
cp "$here/agent.service" "$root/etc/systemd/system/"
chroot "$root" systemctl --quiet enable agent

cp -L "$root"/boot/vmlinuz-* "$folder/vmlinuz"
cp -L "$root"/boot/initrd.img-* "$folder/initrd.img"
mkfs.ext4 -q -F -L root -d "$root" "$folder/root.ext4.part" 6G
rm -rf "$root"
mv "$folder/root.ext4.part" "$folder/root.ext4"
