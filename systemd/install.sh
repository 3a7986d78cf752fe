#!/usr/bin/env bash
# Installs emotiny on a device as a service that starts at boot, upgrades it, or takes it away.
#
#   sudo systemd/install.sh                        from this source tree
#   sudo systemd/install.sh emotiny-*.whl          from a wheel, which holds this script, too:
#                                                  python3 -m zipfile -e emotiny-*.whl unpacked
#                                                  sudo bash unpacked/edge/systemd/install.sh emotiny-*.whl
#   sudo systemd/install.sh --wheels FOLDER ...    without a network: all wheels lie in FOLDER
#   sudo systemd/install.sh --no-apt ...           Debian packages stay as they are
#   sudo systemd/install.sh --uninstall            settings in /etc/emotiny stay
#
# Run it again to upgrade: settings stay as they are. No package of the system is replaced: all of Python's lie
# in /opt/emotiny. Exit codes: 0 done, 2 something is missing or wrong.
set -euo pipefail
# The service's user must be able to read what is installed, whatever root's own is.
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

# What the machine is must be looked at first: pip's own messages say nothing that helps.
examine() {
    [ "$(id -u)" = 0 ] || fail "needs root: sudo $0"
    command -v "$PYTHON" >/dev/null || fail "no $PYTHON: sudo apt install python3"
    command -v "$SYSTEMCTL" >/dev/null || fail "no systemd, which starts it at boot: make run needs none"
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
        fail "$("$PYTHON" --version) is too old, 3.10 or later is needed: Raspberry Pi OS Bookworm, JetPack 6 or newer"
    # A 32-bit system may run on a 64-bit kernel: what Python is made for counts.
    "$PYTHON" -c 'import sys; sys.exit(sys.maxsize < 2**32)' ||
        fail "this system is of 32 bits, for which numpy and OpenCV have no wheels: write the 64-bit image to the card"
}

# Only what is missing, so that a device without a network can be upgraded.
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
        say "not installed, and left so: ${missing[*]}"
        return 0
    fi
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -q && apt-get install -q -y --no-install-recommends "${missing[@]}"; } >/dev/null ||
        fail "apt-get could not install ${missing[*]}: is there a network? --no-apt goes on without"
}

# The system's packages are seen where a camera needs them: picamera2, or an OpenCV with GStreamer.
make_environment() {
    local options=(--clear)
    if "$PYTHON" -c 'import picamera2' 2>/dev/null || [ "$(board)" = jetson ]; then
        options+=(--system-site-packages)
    fi
    # One that is right already is upgraded; after an upgrade of the system its Python is gone, or another one,
    # which finds none of its packages.
    if $PREFIX/bin/python -c 'import pip' 2>/dev/null && [ "$(environment_options)" = "${options[*]}" ]; then return 0; fi
    say "making $PREFIX"
    "$PYTHON" -m venv "${options[@]}" $PREFIX ||
        fail "no venv module: sudo apt install python3-venv"
}

environment_options() {
    if grep -q 'include-system-site-packages = true' $PREFIX/pyvenv.cfg; then echo --clear --system-site-packages
    else echo --clear; fi
}

pip_install() { $PREFIX/bin/pip install --quiet --disable-pip-version-check "${OFFLINE[@]}" "$@"; }

add_package() {
    say "installing $SOURCE and what it needs, about 240 MB on arm64 and 330 on x86-64 the first time"
    { pip_install --force-reinstall --no-deps "$SOURCE" && pip_install "$SOURCE"; } ||
        fail "the packages above could not be installed: is the package index reachable? --wheels FOLDER takes them from there"
    [ ! -d "$SOURCE" ] || rm -rf "$SOURCE/build"  # which pip leaves behind
    # pip's OpenCV has no GStreamer, which a Jetson's own camera needs, and would hide the system's, which has.
    if [ "$(board)" = jetson ] && "$PYTHON" -c 'import cv2, sys
sys.exit(not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER))' 2>/dev/null
    then $PREFIX/bin/pip uninstall --quiet --yes opencv-python-headless; fi
    $PREFIX/bin/emotiny --version >/dev/null || fail "what was installed does not start"
}

is_ours() { [ "$(readlink $COMMAND)" = $PREFIX/bin/emotiny ]; }

# So that `sudo emotiny check` finds it; what somebody else put there stays.
add_command() {
    if [ -e $COMMAND ] || [ -L $COMMAND ]; then
        is_ours || say "$COMMAND is not this one, and left so: $PREFIX/bin/emotiny is"
    else
        mkdir -p "$(dirname $COMMAND)"
        ln -s $PREFIX/bin/emotiny $COMMAND
    fi
}

# Names of emotiny@NAME, each of which reads NAME.toml.
instances() {
    local file
    for file in "$SETTINGS"/*.toml; do
        [ "$file" = $SETTINGS/config.toml ] || [ ! -e "$file" ] || basename "$file" .toml
    done
}

add_service() {
    mkdir -p $SETTINGS
    [ -e $SETTINGS/config.toml ] || $PREFIX/bin/emotiny config --write $SETTINGS/config.toml
    $PREFIX/bin/emotiny config --config $SETTINGS/config.toml >/dev/null ||
        fail "the service was left as it is, since its settings are wrong: sudoedit $SETTINGS/config.toml"
    cp "$HERE/emotiny.service" "$HERE/emotiny@.service" $UNITS/
    if [ "$(board)" = jetson ]; then
        local beside
        for beside in $UNITS/emotiny.service.d $UNITS/emotiny@.service.d; do
            mkdir -p "$beside"
            [ -e "$beside/jetson.conf" ] || cp "$HERE/jetson.conf" "$beside/"
        done
    fi
    # As where the image of a card is made.
    if [ "$($SYSTEMCTL is-system-running 2>/dev/null)" = offline ]; then
        SYSTEMD_OFFLINE=1 $SYSTEMCTL enable --quiet emotiny || fail "systemd does not take $UNITS/emotiny.service"
        STARTED="not started, since systemd does not run here: it will be at the next boot"
        $PREFIX/bin/emotiny check --config $SETTINGS/config.toml || FOUND=$?
        return
    fi
    $SYSTEMCTL daemon-reload
    # A camera may be opened once only, so it is looked at while the service does not run.
    $SYSTEMCTL stop emotiny 2>/dev/null || true
    $PREFIX/bin/emotiny check --config $SETTINGS/config.toml || FOUND=$?
    # Without waiting: the service is ready with its first picture, and the camera may be absent yet.
    { $SYSTEMCTL enable --quiet emotiny && $SYSTEMCTL restart --no-block emotiny; } ||
        fail "systemd does not start it: systemctl status emotiny"
    $SYSTEMCTL try-restart --no-block 'emotiny@*' || say "other instances (emotiny@NAME) were not restarted"
}

forget() {
    local file="$SETTINGS/$1.toml" own=()
    # As its unit is told where it has a password of its own.
    [ ! -e "$SETTINGS/$1.password" ] || own=(--mqtt-password-file "$SETTINGS/$1.password")
    timeout 30 $PREFIX/bin/emotiny forget --config "$file" "${own[@]}" ||
        say "the broker of $file may still know this device: emotiny forget takes that back from anywhere"
}

uninstall() {
    [ "$(id -u)" = 0 ] || fail "needs root: sudo $0 --uninstall"
    local instance
    $SYSTEMCTL disable --quiet --now emotiny || true
    instances | while read -r instance; do
        $SYSTEMCTL disable --quiet --now "emotiny@$instance" </dev/null || true
    done
    $SYSTEMCTL stop 'emotiny@*' || true
    # Home Assistant would keep it for ever; a broker that is away keeps nothing from being removed.
    if $PREFIX/bin/emotiny forget --help >/dev/null 2>&1; then
        [ ! -e $SETTINGS/config.toml ] || forget config
        instances | while read -r instance; do EMOTINY_INSTANCE=$instance forget "$instance" </dev/null; done
    fi
    ! is_ours || rm $COMMAND
    rm -rf $PREFIX $UNITS/emotiny.service $UNITS/emotiny@.service $UNITS/emotiny{,@}.service.d/jetson.conf
    # What `systemctl edit` made lies there, too, and stays.
    rmdir --ignore-fail-on-non-empty $UNITS/emotiny{,@}.service.d 2>/dev/null || true
    $SYSTEMCTL daemon-reload || true
    say "gone; your settings are still in $SETTINGS"
}

# The service waits for a camera or a broker that is absent: what is wrong is said, and is no failure to install.
report() {
    say "$STARTED: systemctl status emotiny; journalctl -fu emotiny; its settings: $SETTINGS/config.toml"
    if [ $FOUND = 0 ]; then say "check: all is well"
    else say "check: something is wrong, see the lines above that begin so; sudo $(is_ours && echo emotiny || echo $PREFIX/bin/emotiny) check looks again"; fi
}

APT=yes
FOUND=0
STARTED=started
OFFLINE=()
SOURCE=$(dirname "$HERE")
while [ $# -gt 0 ]; do
    case $1 in
    --uninstall) uninstall; exit ;;
    --no-apt) APT=no ;;
    --wheels)
        [ -d "${2:-}" ] || fail "--wheels ${2:-}: expected a folder of wheels"
        OFFLINE=(--no-index --find-links "$(cd "$2" && pwd)")
        shift ;;
    --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit ;;
    *.whl) [ -f "$1" ] || fail "$1: no such wheel"; SOURCE=$1 ;;
    *) fail "$1: expected a wheel, --wheels FOLDER, --no-apt or --uninstall" ;;
    esac
    shift
done
[ -f "$SOURCE" ] || [ -f "$SOURCE/setup.cfg" ] || fail "no source tree around this script: expected a wheel"
examine
add_packages
make_environment
add_package
add_command
add_service
report
