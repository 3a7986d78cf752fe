#!/bin/bash
# Boots a disk from build_image.sh in a virtual machine without a network, until somebody powers it off. The processor
# is emulated: KVM is not to be had everywhere. The disk is not changed.
# usage: machine.sh FOLDER PAYLOAD.tar SOCKET CONSOLE          needs qemu-system-x86_64; the agent answers on SOCKET
set -euo pipefail
folder=$1 payload=$2 socket=$3 console=$4

exec qemu-system-x86_64 -machine q35 -accel tcg -cpu max -m 2048 -smp 2 -display none -no-reboot -nic none \
    -serial "file:$console" -kernel "$folder/vmlinuz" -initrd "$folder/initrd.img" \
    -append 'console=ttyS0 quiet root=/dev/vda rw panic=1 systemd.show_status=0' \
    -drive "file=$folder/root.ext4,format=raw,if=none,id=root,snapshot=on" -device virtio-blk-pci,drive=root \
    -drive "file=$payload,format=raw,if=none,id=payload,readonly=on" -device virtio-blk-pci,drive=payload \
    -chardev "socket,id=agent,path=$socket,server=on,wait=off" -device virtio-serial-pci \
    -device virtserialport,chardev=agent,name=agent
