"""Runs instead of the service, under its unit: tries what an intruder would, and prints what succeeds."""

import ctypes
import json
import os
import resource
import socket
import stat
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
FOLDERS = (
    "/",
    "/etc",
    "/etc/emotiny",
    "/home",
    "/opt/emotiny",
    "/root",
    "/run",
    "/usr/local",
    "/var",
    "/var/lib",
)
SECRETS = ("/etc/shadow", "/root/secret", "/proc/1/environ", "/proc/kmsg", "/dev/mem")


def can(attempt, *arguments):
    """Whether an attempt succeeds; it fails with one of several errors, depending on the system."""
    try:
        attempt(*arguments)
    except (OSError, ValueError):
        return False
    return True


def write(folder):
    path = Path(folder, "emotiny-probe")
    path.write_text("x")
    path.unlink()


def read(path):
    with open(path, "rb") as file:  # noqa: PTH123
        file.read(1)


def open_device(path):
    os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))


def bind(kind):
    with socket.socket(socket.AF_INET, kind) as made:
        made.bind(("0.0.0.0", 9137))


def create_namespace():
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare")


def map_executable_memory():
    import mmap

    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def see_other_process():
    pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
    if not [pid for pid in pids if pid != os.getpid()]:
        raise OSError("sees no other process")


def devices():
    for folder, _, names in os.walk("/dev"):
        for path in (Path(folder, name) for name in names):
            if stat.S_ISCHR(mode := path.lstat().st_mode) or stat.S_ISBLK(mode):
                yield str(path)


def main():
    status = dict(
        line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line
    )
    attempts = {
        "uid": os.getuid(),
        "status": {name: status[name].strip() for name in ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp")},
        "written": [folder for folder in FOLDERS if can(write, folder)],
        "read": [path for path in SECRETS if can(read, path)],
        "devices": sorted(path for path in devices() if can(open_device, path)),
        "raw socket": can(socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        "packet socket": can(socket.socket, socket.AF_PACKET, socket.SOCK_RAW),
        "netlink socket": can(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW),
        "ports": [kind.name for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM) if can(bind, kind)],
        "namespace": can(create_namespace),
        "executable memory": can(map_executable_memory),
        "sets the clock": can(__import__("time").clock_settime, 0, __import__("time").time()),
        "sees other processes": can(see_other_process),
        # A map of its own names few users; that of the system names all numbers of 32 bits.
        "knows all users": Path("/proc/self/uid_map").read_text().split()[-1] == "4294967295",
        "bytes of core dumps": max(resource.getrlimit(resource.RLIMIT_CORE), key=abs),
    }
    print("probe " + json.dumps(attempts), flush=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        address = os.environ["NOTIFY_SOCKET"]
        notify.sendto(b"READY=1", "\0" + address[1:] if address.startswith("@") else address)


if __name__ == "__main__":
    sys.exit(main())
