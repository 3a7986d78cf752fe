"""The pictures of a set that comes as a folder or as an archive of that folder."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePath, PurePosixPath

from edge.errors import DataError


def read_images(path: Path, suffix: str) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Path and content of every picture, sorted so that each form of the set gives the same order.

    Args:
        path: a folder, searched in depth, or a `.tar` or `.tar.gz`.
        suffix: of the files, in small letters with its dot; files may have it in capitals.

    Yields:
        The path as the folder or archive names it, and the file's bytes.

    Raises:
        DataError: the archive is damaged, or something cannot be read.
    """
    try:
        if path.is_dir():
            for file in find_images(path, suffix):
                yield PurePosixPath(file.as_posix()), file.read_bytes()
            return
        with tarfile.open(path) as archive:
            found: dict[PurePosixPath, bytes] = {}
            for member in archive:
                name = PurePosixPath(member.name)
                stream = archive.extractfile(member) if _is_image(name, suffix) else None
                if stream is not None:
                    found[name] = stream.read()
    except (tarfile.TarError, EOFError, zlib.error, KeyError) as error:
        # KeyError: a link to what the archive does not hold.
        raise DataError(f"{path}: a damaged or truncated archive ({error}); get it again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    yield from sorted(found.items(), key=lambda item: (item[0].name, item[0]))


def find_images(folder: Path, suffix: str) -> list[Path]:
    """The pictures in a folder, searched in depth, sorted by name."""
    found = (file for file in folder.rglob("*") if _is_image(file, suffix) and file.is_file())
    return sorted(found, key=lambda file: (file.name, file))


def _is_image(name: PurePath, suffix: str) -> bool:
    # macOS puts a file ._name beside each file of an archive that it packs.
    return name.suffix.lower() == suffix and not name.name.startswith("._")
