#!/usr/bin/env bash
# Installs emotiny on a device as a service that starts at boot, upgrades it, or removes it.
#
#   sudo systemd/install.sh                        from this source tree
#   sudo systemd/install.sh emotiny-*.whl          from a wheel, which also holds this script:
#                                                  python3 -m zipfile -e emotiny-*.whl unpacked
#                                                  sudo bash unpacked/edge/systemd/install.sh emotiny-*.whl
#   sudo systemd/install.sh --wheels FOLDER ...    without a network: FOLDER holds all wheels
#   sudo systemd/install.sh --locked ...           exactly the versions in requirements/, refused unless their hashes fit
#   sudo systemd/install.sh --no-apt ...           leaves Debian packages as they are
#   sudo systemd/install.sh --uninstall            leaves the settings in /etc/emotiny
#
# To upgrade, run it again: settings are kept. No package of the system is replaced; all Python packages are in
# /opt/emotiny. Exit codes: 0 done, 2 something is missing or wrong.
set -euo pipefail
# The service's user must be able to read what is installed, whatever root's own umask is.
umask 022

PREFIX=/opt/emotiny
SETTINGS=/etc/emotiny
UNITS=/etc/systemd/system
COMMAND=/usr/local/bin/emotiny
PYTHON=${PYTHON:-python3}
SYSTEMCTL=${SYSTEMCTL:-systemctl}
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

say() { printf 'emotiny: %s\n' "$*"; }
fail() { printf 'emotiny: error: %s\n' "$*" >&2; exit 2; }

board() {
    if grep -qs tegra /proc/device-tree/compatible; then echo jetson
    elif grep -qs 'Raspberry Pi' /proc/device-tree/model; then echo pi
    else echo other; fi
}

# First of all, because pip's messages about an unsuitable machine do not help.
check_machine() {
    [ "$(id -u)" = 0 ] || fail "needs root: sudo $0"
    command -v "$PYTHON" >/dev/null || fail "no $PYTHON: sudo apt install python3"
    command -v "$SYSTEMCTL" >/dev/null || fail "no systemd, which would start the service at boot: make run works without it"
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
        fail "$("$PYTHON" --version) is too old, 3.10 or later is needed: Raspberry Pi OS Bookworm, JetPack 6 or newer"
    # A 32-bit system may run on a 64-bit kernel, so Python is asked.
    "$PYTHON" -c 'import sys; sys.exit(sys.maxsize < 2**32)' ||
        fail "this is a 32-bit system, for which numpy and OpenCV have no wheels: write the 64-bit image to the card"
    LOCK=$HERE/requirements/python$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-$(uname -m).txt
    [ "$LOCKED" = no ] || [ -f "$LOCK" ] ||
        fail "no ${LOCK##*/} in $HERE/requirements: expected a Python that emotiny was locked for; without --locked, pip chooses"
}

# Installs only missing packages, so that a device without a network can be upgraded.
add_packages() {
    local wanted=(python3-venv) missing=() package
    case $(board) in
    pi) wanted+=(python3-picamera2) ;;
    jetson) "$PYTHON" -c 'import cv2' 2>/dev/null || wanted+=(python3-opencv opencv-data) ;;
    esac
    for package in "${wanted[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$APT" = no ]; then
        say "not installed because of --no-apt: ${missing[*]}"
        return 0
    fi
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -q && apt-get install -q -y --no-install-recommends "${missing[@]}"; } >/dev/null ||
        fail "apt-get could not install ${missing[*]}: is there a network? --no-apt leaves them out"
}

# The environment sees the system's packages if a camera needs them: picamera2, or an OpenCV with GStreamer.
make_environment() {
    local options=(--clear)
    if "$PYTHON" -c 'import picamera2' 2>/dev/null || [ "$(board)" = jetson ]; then
        options+=(--system-site-packages)
    fi
    # A suitable environment is kept. After an upgrade of the system its Python may be gone, or be another version,
    # which does not find the environment's packages.
    if $PREFIX/bin/python -c 'import pip' 2>/dev/null && [ "$(environment_options)" = "${options[*]}" ]; then return 0; fi
    say "creating $PREFIX"
    "$PYTHON" -m venv "${options[@]}" $PREFIX ||
        fail "no venv module: sudo apt install python3-venv"
}

environment_options() {
    if grep -q 'include-system-site-packages = true' $PREFIX/pyvenv.cfg; then echo --clear --system-site-packages
    else echo --clear; fi
}

pip_install() { $PREFIX/bin/pip install --quiet --disable-pip-version-check "${OFFLINE[@]}" "$@"; }

# picamera2 is built for the system's numpy, so that one stays.
locked_requirements() {
    if "$PYTHON" -c 'import picamera2' 2>/dev/null; then awk '/^[a-z]/ { skip = /^numpy==/ } !skip' "$LOCK"
    else cat "$LOCK"; fi
}

pip_install_locked() { pip_install --require-hashes --no-deps "$@"; }

# pip checks no hash of a source tree, nor of what it downloads to build one; so that has a lock file, too.
install_locked() {
    local tools
    pip_install_locked -r <(locked_requirements) || return
    if [ -d "$SOURCE" ]; then
        tools=$(mktemp -d) && pip_install_locked --target "$tools" -r "$HERE/requirements/build.txt" &&
            PYTHONPATH=$tools pip_install --force-reinstall --no-deps --no-build-isolation "$SOURCE" || return
        rm -rf "$tools"
    else pip_install --force-reinstall --no-deps "$SOURCE" || return; fi
    # Nothing is missing now, or this fails: without an index, it can install nothing.
    pip_install --no-index emotiny
}

install_newest() { pip_install --force-reinstall --no-deps "$SOURCE" && pip_install "$SOURCE"; }

add_package() {
    say "installing $SOURCE and its requirements, about 240 MB on arm64 and 330 on x86-64 the first time"
    if [ "$LOCKED" = yes ]; then install_locked; else install_newest; fi ||
        fail "the packages above could not be installed: is the package index reachable? --wheels FOLDER takes them from a folder"
    [ ! -d "$SOURCE" ] || rm -rf "$SOURCE/build"  # left behind by pip
    # A Jetson's own camera needs GStreamer. pip's OpenCV lacks it, and would hide the system's, which has it.
    if [ "$(board)" = jetson ] && "$PYTHON" -c 'import cv2, sys
sys.exit(not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER))' 2>/dev/null
    then $PREFIX/bin/pip uninstall --quiet --yes opencv-python-headless; fi
    $PREFIX/bin/emotiny --version >/dev/null || fail "the installed program does not start"
}

is_ours() { [ "$(readlink $COMMAND)" = $PREFIX/bin/emotiny ]; }

# Makes `sudo emotiny check` work; another program of that name is left alone.
add_command() {
    if [ -e $COMMAND ] || [ -L $COMMAND ]; then
        is_ours || say "$COMMAND is another program and was left alone: use $PREFIX/bin/emotiny"
    else
        mkdir -p "$(dirname $COMMAND)"
        ln -s $PREFIX/bin/emotiny $COMMAND
    fi
}

# Prints the NAME of each emotiny@NAME, which reads NAME.toml.
instances() {
    local file
    for file in "$SETTINGS"/*.toml; do
        [ "$file" = $SETTINGS/config.toml ] || [ ! -e "$file" ] || basename "$file" .toml
    done
}

# The units allow no port. Written again by each installation, for the settings that hold then.
allow_port() {
    local file="$SETTINGS/$1.toml" beside="$UNITS/$2.service.d" port
    port=$($PREFIX/bin/emotiny config --config "$file" | sed -n '/^\[metrics]/,$s/^port = \([0-9]*\).*/\1/p') || return 0
    if [ "${port:-0}" = 0 ]; then
        rm -f "$beside/port.conf"
        rmdir --ignore-fail-on-non-empty "$beside" 2>/dev/null || true
        return
    fi
    mkdir -p "$beside"
    printf '# Written by the installer, for metrics.port in %s\n[Service]\nSocketBindAllow=tcp:%s\n' \
        "$file" "$port" >"$beside/port.conf"
}

add_rights() {
    local beside
    for beside in $UNITS/emotiny.service.d $UNITS/emotiny@.service.d; do
        mkdir -p "$beside"
        [ -e "$beside/$1" ] || cp "$HERE/$1" "$beside/"
    done
}

add_service() {
    mkdir -p $SETTINGS
    [ -e $SETTINGS/config.toml ] || $PREFIX/bin/emotiny config --write $SETTINGS/config.toml
    $PREFIX/bin/emotiny config --config $SETTINGS/config.toml >/dev/null ||
        fail "the settings are wrong, so the service was left as it was: sudoedit $SETTINGS/config.toml"
    cp "$HERE/emotiny.service" "$HERE/emotiny@.service" $UNITS/
    allow_port config emotiny
    local instance
    while read -r instance; do allow_port "$instance" "emotiny@$instance" </dev/null; done < <(instances)
    [ "$(board)" != jetson ] || add_rights jetson.conf
    ! "$PYTHON" -c 'import picamera2' 2>/dev/null || add_rights libcamera.conf
    # systemd does not run where the image of a memory card is made.
    if [ "$($SYSTEMCTL is-system-running 2>/dev/null)" = offline ]; then
        SYSTEMD_OFFLINE=1 $SYSTEMCTL enable --quiet emotiny || fail "systemd refuses $UNITS/emotiny.service"
        STARTED="not started, because systemd is not running here; it starts at the next boot"
        $PREFIX/bin/emotiny check --config $SETTINGS/config.toml || FOUND=$?
        return
    fi
    $SYSTEMCTL daemon-reload
    # Only one program can open a camera, so the check must not run beside the service.
    $SYSTEMCTL stop emotiny 2>/dev/null || true
    $PREFIX/bin/emotiny check --config $SETTINGS/config.toml || FOUND=$?
    # Not waited for: the service becomes ready with its first frame, and the camera may still be absent.
    { $SYSTEMCTL enable --quiet emotiny && $SYSTEMCTL restart --no-block emotiny; } ||
        fail "systemd does not start the service: systemctl status emotiny"
    $SYSTEMCTL try-restart --no-block 'emotiny@*' || say "other instances (emotiny@NAME) were not restarted"
}

forget() {
    local file="$SETTINGS/$1.toml" own=()
    # The file that an instance's unit names if the instance has its own password.
    [ ! -e "$SETTINGS/$1.password" ] || own=(--mqtt-password-file "$SETTINGS/$1.password")
    timeout 30 $PREFIX/bin/emotiny forget --config "$file" "${own[@]}" ||
        say "the broker of $file may still know this device: 'emotiny forget' on any machine removes it"
}

uninstall() {
    [ "$(id -u)" = 0 ] || fail "needs root: sudo $0 --uninstall"
    local instance
    $SYSTEMCTL disable --quiet --now emotiny || true
    instances | while read -r instance; do
        $SYSTEMCTL disable --quiet --now "emotiny@$instance" </dev/null || true
    done
    $SYSTEMCTL stop 'emotiny@*' || true
    # Otherwise Home Assistant would show the device for ever. A broker that is away must not stop the removal.
    if $PREFIX/bin/emotiny forget --help >/dev/null 2>&1; then
        [ ! -e $SETTINGS/config.toml ] || forget config
        instances | while read -r instance; do EMOTINY_INSTANCE=$instance forget "$instance" </dev/null; done
    fi
    ! is_ours || rm $COMMAND
    rm -rf $PREFIX $UNITS/emotiny.service $UNITS/emotiny@.service
    rm -f $UNITS/emotiny{,@}.service.d/{jetson,libcamera}.conf
    rm -f $UNITS/emotiny.service.d/port.conf $UNITS/emotiny@*.service.d/port.conf
    # Files of `systemctl edit` in the same folders stay.
    rmdir --ignore-fail-on-non-empty $UNITS/emotiny.service.d $UNITS/emotiny@*.service.d 2>/dev/null || true
    $SYSTEMCTL daemon-reload || true
    say "removed; your settings are still in $SETTINGS"
}

# A failed check does not fail the installation, because the service waits for an absent camera or broker.
report() {
    say "$STARTED: systemctl status emotiny; journalctl -fu emotiny; its settings: $SETTINGS/config.toml"
    if [ $FOUND = 0 ]; then say "check: all is well"
    else say "check: something is wrong, see the lines above that begin with 'wrong'; then run: sudo $(is_ours && echo emotiny || echo $PREFIX/bin/emotiny) check"; fi
}

APT=yes
LOCKED=no
FOUND=0
STARTED=started
OFFLINE=()
SOURCE=$(dirname "$HERE")
while [ $# -gt 0 ]; do
    case $1 in
    --uninstall) uninstall; exit ;;
    --no-apt) APT=no ;;
    --locked) LOCKED=yes ;;
    --wheels)
        [ -d "${2:-}" ] || fail "--wheels ${2:-}: expected a folder of wheels"
        OFFLINE=(--no-index --find-links "$(cd "$2" && pwd)")
        shift ;;
    --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit ;;
    *.whl) [ -f "$1" ] || fail "$1: no such wheel"; SOURCE=$1 ;;
    *) fail "$1: expected a wheel, --wheels FOLDER, --locked, --no-apt or --uninstall" ;;
    esac
    shift
done
[ -f "$SOURCE" ] || [ -f "$SOURCE/setup.cfg" ] || fail "no source tree around this script: expected a wheel"
check_machine
add_packages
make_environment
add_package
add_command
add_service
report
