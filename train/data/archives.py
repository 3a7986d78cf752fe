"""Reads the images of a dataset that comes as a folder or as a tar archive of that folder."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePath, PurePosixPath

from edge.errors import DataError
from train.progress import tracked


def read_images(path: Path, suffix: str) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Reads every image file, in the same order from a folder as from an archive of it.

    Args:
        path: a folder, which is searched recursively, or a `.tar` or `.tar.gz` file.
        suffix: suffix of the image files, lower case with its dot; it matches upper case too.

    Yields:
        The file's path as the folder or archive names it, and its bytes.

    Raises:
        DataError: the archive is damaged, or a file cannot be read.
    """
    try:
        if path.is_dir():
            for file in tracked(find_images(path, suffix), f"reading {path.name}", "pictures"):
                yield PurePosixPath(file.as_posix()), file.read_bytes()
            return
        with tarfile.open(path) as archive:
            contents: dict[PurePosixPath, bytes] = {}
            for member in archive:
                name = PurePosixPath(member.name)
                stream = archive.extractfile(member) if _is_image(name, suffix) else None
                if stream is not None:
                    contents[name] = stream.read()
    except (tarfile.TarError, EOFError, zlib.error, KeyError) as error:
        # KeyError: a link to a file that the archive does not hold.
        raise DataError(
            f"{path}: a damaged or truncated archive ({first_line(error)}); get it again"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    files = sorted(contents.items(), key=lambda item: (item[0].name, item[0]))
    yield from tracked(files, f"reading {path.name}", "pictures")


def first_line(error: Exception) -> str:
    """Returns the first line of a message: tarfile adds a line for each compression that it tried."""
    return str(error).partition("\n")[0].rstrip(":")


def find_images(folder: Path, suffix: str) -> list[Path]:
    """Returns the image files below a folder, sorted by name."""
    files = (file for file in folder.rglob("*") if _is_image(file, suffix) and file.is_file())
    return sorted(files, key=lambda file: (file.name, file))


def _is_image(name: PurePath, suffix: str) -> bool:
    # macOS adds a file ._name next to each file of an archive that it creates.
    return name.suffix.lower() == suffix and not name.name.startswith("._")
