"""A certificate authority, and certificates that it signed: valid ones, and some with one fault each."""

from __future__ import annotations

import subprocess
from pathlib import Path

_NEW = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
# The first and last day of each certificate.
_VALIDITY = {
    "server": ("20250101000000Z", "20990101000000Z"),
    "device": ("20250101000000Z", "20990101000000Z"),
    "elsewhere": ("20250101000000Z", "20990101000000Z"),
    "expired": ("20200101000000Z", "20200102000000Z"),
    "early": ("20980101000000Z", "20990101000000Z"),
}
_CONFIG = """
[ca]
default_ca = own
[own]
dir = .
new_certs_dir = .
database = index.txt
serial = serial
default_md = sha256
policy = any
[any]
commonName = supplied
"""


def make_certificates(folder: Path) -> None:
    """Writes NAME.crt and NAME.key for every certificate.

    The names are "ca", "other" (an authority that signed nothing), "server", "device", "elsewhere" (valid for
    another host name), "expired" and "early" (not valid yet).

    Args:
        folder: Folder for the files.
    """

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    for name, subject in (("ca", "test authority"), ("other", "nobody")):
        files = ("-keyout", f"{name}.key", "-out", f"{name}.crt")
        openssl("req", "-x509", *_NEW, "-days", "3650", "-subj", f"/CN={subject}", *files)
    (folder / "config").write_text(_CONFIG)
    (folder / "index.txt").touch()
    (folder / "serial").write_text("01\n")
    for name, (first, last) in _VALIDITY.items():
        names = "DNS:elsewhere.example" if name == "elsewhere" else "DNS:localhost,IP:127.0.0.1"
        (folder / "names").write_text(f"subjectAltName={names}")
        openssl("req", *_NEW, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signed = ("-cert", "ca.crt", "-keyfile", "ca.key", "-extfile", "names", "-notext", "-batch")
        validity = ("-startdate", first, "-enddate", last)
        openssl("ca", "-config", "config", *signed, *validity, "-in", f"{name}.csr", "-out", f"{name}.crt")
