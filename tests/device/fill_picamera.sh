#!/bin/bash
# In the tree of a disk with libcamera: picamera2 goes where apt puts it on a Raspberry Pi, into the system's Python.
# usage: fill_picamera.sh REQUIREMENT...          as root; the wheels, and archives of source, lie in /wheels
set -euo pipefail

# What else they ask for is Debian's own, or of a desktop.
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --break-system-packages \
    --no-index --find-links /wheels --no-deps --no-build-isolation "$@"
python3 -c 'import libcamera, pidng.core, simplejpeg, videodev2'
