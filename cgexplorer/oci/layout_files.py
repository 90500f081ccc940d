"""The files of an OCI image layout, opened so that a hostile folder cannot lead anywhere else.

Blobs are found by digest path alone. Nothing below the folder may be a symbolic link, and only regular files are
read: a FIFO would block, a device could do anything. Sizes are compared with a limit before the first byte is read.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack
from pathlib import Path

from cgexplorer.oci import digest as digests
from cgexplorer.oci.errors import DigestMismatch, Malformed, NotInLayout, Refused, TooLarge, Unreachable

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def read_blob(root: Path, digest: str, *, max_bytes: int) -> bytes:
    """The bytes with this digest, checked. `NotInLayout`, `Refused`, `TooLarge` or `DigestMismatch` otherwise."""
    if not digests.is_digest(digest):
        raise Malformed(f"{digest[:80]!a} is not a sha256 digest.")
    content = read(root, ("blobs", "sha256", digest.removeprefix("sha256:")), max_bytes=max_bytes)
    found = digests.of(content)
    if found != digest:
        raise DigestMismatch(f"The layout's file for {digest} hashes to {found}: it was altered or damaged.")
    return content


def read(root: Path, path: tuple[str, ...], *, max_bytes: int) -> bytes:
    """A regular file below `root`; `path` is made of fixed names and hex digits only."""
    name = "/".join(path)
    with ExitStack() as stack:
        try:
            folder = os.open(root, _DIRECTORY)
            stack.callback(os.close, folder)
            for part in path[:-1]:
                folder = os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                stack.callback(os.close, folder)
            # Looked at before it is opened: opening some devices already does something.
            _regular(os.stat(path[-1], dir_fd=folder, follow_symlinks=False), name, max_bytes)
            file = os.open(path[-1], _FILE, dir_fd=folder)
            stack.callback(os.close, file)
            size = _regular(os.fstat(file), name, max_bytes)
            content = _read_up_to(file, size + 1)
        except OSError as error:
            raise _refusal(error, name) from error
    if len(content) != size:
        raise Unreachable(f"{name} changed while it was read; try again.")
    return content


def _regular(status: os.stat_result, name: str, max_bytes: int) -> int:
    if stat.S_ISLNK(status.st_mode):
        raise Refused(f"{name} is a symbolic link; an image layout must hold the file itself.")
    if not stat.S_ISREG(status.st_mode):
        raise Refused(f"{name} is not a regular file.")
    if status.st_size > max_bytes:
        raise TooLarge(f"{name} has {status.st_size} bytes; at most {max_bytes} are read.")
    return status.st_size


def _read_up_to(file: int, limit: int) -> bytes:
    chunks: list[bytes] = []
    while limit > 0 and (chunk := os.read(file, min(limit, 1 << 20))):
        chunks.append(chunk)
        limit -= len(chunk)
    return b"".join(chunks)


def _refusal(error: OSError, name: str) -> Exception:
    if error.errno == errno.ENOENT:
        return NotInLayout(f"{name} is not in this layout.")
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return Refused(f"{name} leads through a symbolic link or a file that is no folder.")
    return Unreachable(f"{name} could not be read: {error.strerror}.")
