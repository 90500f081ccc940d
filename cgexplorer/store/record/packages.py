"""Packages are interned: one row for one identity, however many documents name it."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from django.db import connection

from cgexplorer.spdx.document import Package
from cgexplorer.spdx.licenses import is_stated
from cgexplorer.spdx.versions import version_key
from cgexplorer.store.record import component_cpes
from cgexplorer.store.record.text import storable

_INCOMING = {
    "license": "(sha256 bytea, expression text)",
    "component": "(identity uuid, ecosystem text, namespace text, name text)",
    "package": (
        "(identity uuid, component_id int, version text, version_key bytea, arch text, role text, purl text,"
        " license_id bigint, supplier text, checksum bytea, built_from text)"
    ),
}
MAX_ECOSYSTEM = MAX_ARCH = 32  # characters; longer ones are nobody's


class _Rows(msgspec.Struct):
    """Distinct identities of one document."""

    licenses: dict[bytes, tuple[str]]
    components: dict[uuid.UUID, tuple[str, str, str]]
    packages: dict[uuid.UUID, tuple[Package, uuid.UUID, bytes | None, bytes | None]]
    order: list[uuid.UUID]  # one for each package asked


def intern(packages: Sequence[Package]) -> list[int]:
    """Ids of these packages, in their order; rows are made for those that are new.

    Call inside a transaction. Every upsert is one sorted statement: writers that meet wait for each other, none
    deadlocks.
    """
    rows = _rows(packages)
    licenses = _upsert("license", "sha256", rows.licenses)
    components = _upsert("component", "identity", rows.components)
    ids = _upsert(
        "package",
        "identity",
        {
            identity: _columns(
                package, components[component], licenses.get(license_key) if license_key else None, check
            )
            for identity, (package, component, license_key, check) in rows.packages.items()
        },
    )
    component_cpes.add(
        (components[component], cpe) for package, component, _, _ in rows.packages.values() for cpe in package.cpes
    )
    return [ids[identity] for identity in rows.order]


def _rows(packages: Sequence[Package]) -> _Rows:
    rows = _Rows({}, {}, {}, [])
    for package in map(_clean, packages):
        name = (package.ecosystem[:MAX_ECOSYSTEM], package.namespace, package.purl_name or package.name)
        component = _identity(name)
        rows.components[component] = name
        license_key = None
        if package.license:
            license_key = hashlib.sha256(package.license.encode()).digest()
            rows.licenses[license_key] = (package.license,)
        checksum = _checksum(package)
        identity = _identity(
            (*name, package.version, package.arch, package.role, package.purl, package.license, package.supplier,
             checksum.hex() if checksum else "", package.built_from)
        )  # fmt: skip
        rows.packages[identity] = (package, component, license_key, checksum)
        rows.order.append(identity)
    return rows


def _clean(package: Package) -> Package:
    """A purl may spell NUL as %00: what PostgreSQL refuses is shown escaped."""
    texts = (
        "ecosystem",
        "namespace",
        "purl_name",
        "name",
        "version",
        "arch",
        "purl",
        "license",
        "supplier",
        "built_from",
    )
    if not is_stated(package.supplier):
        # NOASSERTION is SPDX's way to say nothing; CycloneDX says nothing by saying nothing.
        package = msgspec.structs.replace(package, supplier="")
    odd = {name: text for name in texts if (text := storable(getattr(package, name))) != getattr(package, name)}
    return msgspec.structs.replace(package, **odd) if odd else package


def _columns(package: Package, component: int, license_id: int | None, checksum: bytes | None) -> tuple[Any, ...]:
    return (
        component, package.version, version_key(package.ecosystem, package.version), package.arch[:MAX_ARCH],
        str(package.role), package.purl, license_id, package.supplier, checksum, package.built_from,
    )  # fmt: skip


def _identity(fields: Iterable[str]) -> uuid.UUID:
    """blake2b-128. Every field carries its length, so that no two lists of fields spell the same bytes."""
    digest = hashlib.blake2b(digest_size=16)
    for field in fields:
        encoded = field.encode()
        digest.update(len(encoded).to_bytes(4, "big"))
        digest.update(encoded)
    return uuid.UUID(bytes=digest.digest())


def _checksum(package: Package) -> bytes | None:
    for algorithm, length in (("SHA256", 32), ("SHA1", 20)):
        for checksum in package.checksums:
            if checksum.algorithm == algorithm and len(checksum.value) == 2 * length and _is_hex(checksum.value):
                return bytes.fromhex(checksum.value)
    return None


def _is_hex(text: str) -> bool:
    return set(text) <= set("0123456789abcdef")


def _upsert(table: str, key: str, rows: dict[Any, tuple[Any, ...]]) -> dict[Any, int]:
    """Id by key. Known ones are looked up, the others copied in and inserted in order, lost races looked up again."""
    ids = _lookup(table, key, rows.keys())
    missing = sorted(rows.keys() - ids.keys())
    if missing:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS incoming_{table} {_INCOMING[table]} ON COMMIT DELETE ROWS")
            cursor.execute(f"DELETE FROM incoming_{table}")  # noqa: S608  (table names of ours)
            columns = _INCOMING[table]
            names = ", ".join(column.split()[0] for column in columns.strip("()").split(","))
            with cursor.copy(f"COPY incoming_{table} ({names}) FROM STDIN") as copy:
                for name in missing:
                    # licences come as (expression,): the key is one of their columns, as it is of the others'
                    copy.write_row((name, *rows[name]))
            cursor.execute(
                f"INSERT INTO store_{table} ({names}) SELECT {names} FROM incoming_{table} ORDER BY {key}"  # noqa: S608
                f" ON CONFLICT ({key}) DO NOTHING RETURNING {key}, id"
            )
            ids |= {_plain(found): number for found, number in cursor.fetchall()}
        lost = [name for name in missing if name not in ids]
        if lost:
            ids |= _lookup(table, key, lost)
    return ids


def _lookup(table: str, key: str, keys: Iterable[Any]) -> dict[Any, int]:
    wanted = list(keys)
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {key}, id FROM store_{table} WHERE {key} = ANY(%s)", [wanted])  # noqa: S608
        return {_plain(found): number for found, number in cursor.fetchall()}


def _plain(key: Any) -> Any:
    return bytes(key) if isinstance(key, memoryview) else key
