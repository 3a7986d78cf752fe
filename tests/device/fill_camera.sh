#!/bin/bash
# In the tree of a disk with V4L2 cameras: the service's packages go into /opt/emotiny, not the service itself.
# usage: fill_camera.sh REQUIREMENT...          as root; the wheels lie in /wheels
set -euo pipefail

# Built when its package was installed, though the kernel that runs here is another.
[ -e "$(echo /lib/modules/*/updates/dkms/v4l2loopback.ko)" ] ||
    { echo "fill_camera: v4l2loopback was not built" >&2; exit 1; }

python3 -m venv /opt/emotiny
/opt/emotiny/bin/pip install --quiet --disable-pip-version-check --no-index --find-links /wheels "$@"
