"""The newest public-good trust root, by TUF: signed by the keys of its owners, not older than what was seen, not stale.

Source: TUF specification 1.0, "Detailed client workflow", as python-tuf does it; the target is Sigstore's
`trusted_root.json`. The first TUF root is the one in the pinned `sigstore` package, checked by its sha256. Bytes come
through our own transport, with its rules for addresses, redirects, sizes and time.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from tuf.api import exceptions as tuf
from tuf.api.metadata import Metadata
from tuf.api.serialization import DeserializationError
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from cgexplorer.oci.errors import OciError
from cgexplorer.oci.transport import Transport
from cgexplorer.verify import trust_root
from cgexplorer.verify.errors import MirrorUnreachable, RefreshRefused, TrustRootError

# Of the TUF root shipped with the pinned sigstore wheel. A new wheel must be looked at.
FIRST_ROOT_SHA256 = "73747011d0857ada15479a16c4cae0f3ed03aac698b523b97e1de314ac9d9ca8"
FIRST_ROOT_FILE = "_store/https%3A%2F%2Ftuf-repo-cdn.sigstore.dev/root.json"
TARGET = "trusted_root.json"
MAX_METADATA_BYTES = 2 << 20  # of one file; Sigstore's are below 20 KB


class Versions(msgspec.Struct, frozen=True):
    """Of the four kinds of TUF metadata. They only grow, until a new root changes who signs the other three."""

    root: int
    timestamp: int
    snapshot: int
    targets: int


class Refreshed(msgspec.Struct, frozen=True):
    """What a refresh found: a root that is read and usable, and until when its metadata vouches for it."""

    raw: bytes
    versions: Versions
    expires_at: dt.datetime  # of the metadata that ends first


def first_root() -> bytes:
    """The TUF root that everything else is checked from. Raises TrustRootError when the package ships another one."""
    raw = trust_root.package_file(FIRST_ROOT_FILE)
    if hashlib.sha256(raw).hexdigest() != FIRST_ROOT_SHA256:
        raise TrustRootError(
            "The sigstore package ships another TUF root than the one that this version of cgexplorer was "
            "released with. Install the pinned requirements."
        )
    return raw


def first_root_version() -> int:
    return Metadata.from_bytes(first_root()).signed.version


def refresh(
    folder: Path, mirror: str, transport: Transport, *, first: bytes | None = None, seen: Versions | None = None
) -> Refreshed:
    """Ask the mirror for the newest trust root. `folder` remembers the metadata, `seen` what its last loss must not
    forget; `first` is the TUF root to begin with, the shipped one by default.

    Raises MirrorUnreachable when there is no answer, RefreshRefused when what it answers may not be believed. Nothing
    is lost then: metadata in the folder is only ever replaced by newer metadata that was checked.
    """
    began = first if first is not None else first_root()
    metadata, targets = folder / "metadata", folder / "targets"
    try:
        for directory in (metadata, targets):
            directory.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            raw = _newest(metadata, targets, mirror, transport, began)
            versions, expires_at = _standing(metadata)
    except OSError as error:
        raise RefreshRefused(f"The folder {folder} cannot be used: {error.strerror or error}.") from error
    if seen is not None and _older(versions, seen):
        raise RefreshRefused(
            f"The mirror's metadata ({_words(versions)}) is older than what was seen before ({_words(seen)}): "
            "a rollback, refused."
        )
    try:
        trust_root.load(raw)
    except TrustRootError as error:
        raise RefreshRefused(f"The mirror's newest trust root cannot be used: {error}") from error
    return Refreshed(raw, versions, expires_at)


def _newest(metadata: Path, targets: Path, mirror: str, transport: Transport, first: bytes) -> bytes:
    config = UpdaterConfig(
        snapshot_max_length=MAX_METADATA_BYTES, targets_max_length=MAX_METADATA_BYTES, max_root_rotations=64
    )
    try:
        updater = Updater(
            metadata_dir=str(metadata),
            metadata_base_url=mirror,
            target_dir=str(targets),
            target_base_url=f"{mirror.rstrip('/')}/targets/",
            fetcher=_Fetcher(transport),
            config=config,
            bootstrap=first,
        )
        updater.refresh()
        target = updater.get_targetinfo(TARGET)
        if target is None:
            raise RefreshRefused(f"The mirror's metadata names no {TARGET}.")
        if target.length > trust_root.MAX_BYTES:
            raise RefreshRefused(f"The mirror's {TARGET} is larger than {trust_root.MAX_BYTES} bytes.")
        found = updater.find_cached_target(target) or updater.download_target(target)
        return Path(found).read_bytes()
    except tuf.DownloadLengthMismatchError as error:
        raise RefreshRefused(f"The mirror sends more bytes than its metadata allows: {error}.") from error
    except tuf.DownloadHTTPError as error:
        raise MirrorUnreachable(
            f"The mirror {mirror} answered {error.status_code} where metadata should be."
        ) from error
    except tuf.DownloadError as error:
        why = str(error.__cause__) if isinstance(error.__cause__, OciError) else f"{error}."
        raise MirrorUnreachable(f"The mirror {mirror} could not be asked. {why}") from error
    except tuf.RepositoryError as error:
        raise RefreshRefused(f"{_why(error)} ({error})") from error


class _Fetcher(FetcherInterface):
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _fetch(self, url: str) -> Iterator[bytes]:
        answer = self._transport.send("GET", url, max_bytes=trust_root.MAX_BYTES)
        if answer.status != 200:
            raise tuf.DownloadHTTPError(f"{url} answered {answer.status}", answer.status)
        return iter((answer.body,))


def _standing(metadata: Path) -> tuple[Versions, dt.datetime]:
    """Versions and earliest end of the metadata that was just checked and kept."""
    try:
        signed = [Metadata.from_file(str(metadata / f"{role}.json")).signed for role in Versions.__struct_fields__]
    except DeserializationError as error:
        raise RefreshRefused(f"The metadata in {metadata} was changed while it was read: {error}.") from error
    return Versions(*(one.version for one in signed)), min(one.expires for one in signed)


def _older(versions: Versions, seen: Versions) -> bool:
    """The folder may be a new one: what the store remembers still counts. Under a newer root others may sign, who
    count from one again (specification 5.3.11)."""
    if versions.root != seen.root:
        return versions.root < seen.root
    return any(getattr(versions, name) < getattr(seen, name) for name in ("timestamp", "snapshot", "targets"))


def _words(versions: Versions) -> str:
    return ", ".join(f"{name} {getattr(versions, name)}" for name in versions.__struct_fields__)


def _why(error: tuf.RepositoryError) -> str:
    match error:
        case tuf.ExpiredMetadataError():
            return "The mirror's newest metadata has expired: it is out of date, or this machine's clock is wrong."
        case tuf.BadVersionNumberError():
            return "The mirror's metadata is older than what was seen before, or of another version than it should be."
        case tuf.UnsignedMetadataError():
            return "The mirror's metadata is not signed by enough of the keys that may sign it."
        case tuf.LengthOrHashMismatchError():
            return "The mirror sent other bytes than its signed metadata names."
        case _:
            return "The mirror's metadata cannot be read."


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """python-tuf replaces files one by one: two refreshes at once would mix theirs."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
