"""Trust roots, by sha256, and step by step what became of the root behind each name."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import msgspec
from django.db import connection, transaction
from django.utils import timezone

from cgexplorer.store.models import TrustRoot, TrustUpdate
from cgexplorer.store.queries import trust
from cgexplorer.store.record import payloads
from cgexplorer.store.record.text import storable
from cgexplorer.verify import trust_refresh
from cgexplorer.verify import trust_root as roots
from cgexplorer.verify.trust_refresh import Refreshed
from cgexplorer.verify.trust_root import PUBLIC_GOOD


class Source(StrEnum):
    SHIPPED = "shipped"  # with the pinned sigstore package
    REFRESHED = "refreshed"  # by TUF
    IMPORTED = "imported"  # from a file, by an administrator


def trust_root(raw: bytes, name: str, *, is_sample: bool = False, now: dt.datetime | None = None) -> TrustRoot:
    """The root with these bytes, from now on the one behind its name.

    The same bytes keep the name that they have: under another one they change nothing.
    """
    root = _stored(raw, name, is_sample=is_sample)
    if root.name == name:
        with _locked(name):
            if trust.current(name) != root:
                _append(name, Source.IMPORTED, root, now or timezone.now())
    return root


def public_good(now: dt.datetime) -> TrustRoot:
    """The root that judges where a policy names none: that of the last refresh, or the shipped one when it is newer.

    Writes only when the program brings a root that was not known. Raises TrustRootError when that is not the pinned
    one.
    """
    shipped = roots.public_good()
    newest = trust.newest(PUBLIC_GOOD)
    if newest is not None and newest.trust_root is not None and not _ships_newer(newest, shipped.sha256):
        return newest.trust_root
    root = _stored(roots.public_good_bytes(), PUBLIC_GOOD)
    with _locked(PUBLIC_GOOD):
        if trust.current(PUBLIC_GOOD) != root:
            _append(PUBLIC_GOOD, Source.SHIPPED, root, now, root_version=trust_refresh.first_root_version())
    return root


def _ships_newer(newest: TrustUpdate, shipped_sha256: str) -> bool:
    """Nothing in a trust root says how new it is, but the TUF root that came with it counts."""
    if newest.trust_root is None or newest.trust_root.sha256 == shipped_sha256:
        return False
    shipped, known = trust_refresh.first_root_version(), newest.root_version or 0
    return shipped > known or (shipped == known and newest.source == Source.SHIPPED)


def refreshed(found: Refreshed, mirror: str, now: dt.datetime) -> TrustUpdate:
    """From now on what the mirror vouches for is the public-good root. Each refresh is a step, also of the same root:
    it says until when."""
    root = _stored(found.raw, PUBLIC_GOOD)
    versions = {f"{role}_version": version for role, version in msgspec.structs.asdict(found.versions).items()}
    return _append(PUBLIC_GOOD, Source.REFRESHED, root, now, mirror=mirror, expires_at=found.expires_at, **versions)


def refresh_failed(error: str, mirror: str, now: dt.datetime) -> TrustUpdate:
    """The root stays as it was; why is kept."""
    return _append(PUBLIC_GOOD, Source.REFRESHED, None, now, mirror=mirror, error=storable(error, 1000))


def _stored(raw: bytes, name: str, *, is_sample: bool = False) -> TrustRoot:
    payloads.put([raw])
    found, _ = TrustRoot.objects.get_or_create(
        sha256=hashlib.sha256(raw).hexdigest(),
        defaults={"name": name, "is_sample": is_sample, "payload_id": payloads.key(raw)},
    )
    return found


def _append(name: str, source: Source, root: TrustRoot | None, now: dt.datetime, **more: Any) -> TrustUpdate:
    return TrustUpdate.objects.create(name=name, source=source, trust_root=root, at=now, **more)


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """One step at a time for a name: two workers that find the same news append it once."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"trust root {name}"])
        yield
