"""Packages are interned: one row for one identity, however many documents name it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
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
REMEMBERED, MAX_REMEMBERED_CHARACTERS = 16_384, 1000  # rows of packages, and of one of them
ROWS_LOCK = (0x6370, 0)  # shared by who uses interned rows; alone by who deletes those that nothing uses


class _Row(msgspec.Struct, frozen=True, gc=False):
    """A package as its row has it, but for the ids of what the row refers to."""

    identity: bytes
    component: bytes  # identity of (ecosystem, namespace, name)
    ecosystem: str
    namespace: str
    name: str
    version: str
    arch: str
    role: str
    purl: str
    license: str
    supplier: str
    checksum: bytes | None
    built_from: str


def intern(packages: Sequence[Package]) -> list[int]:
    """Ids of these packages, in their order; rows are made for those that are new.

    Call inside a transaction. Every upsert is one sorted statement: writers that meet wait for each other, none
    deadlocks. Until the transaction ends, none of these rows goes away, though nothing may use them yet.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", ROWS_LOCK)
    rows = [_row(package) for package in packages]
    ids = _known({row.identity for row in rows})
    new = {row.identity: row for row in rows if row.identity not in ids}
    if new:
        ids |= _made(new)
    component_cpes.add((ids[row.identity][1], cpe) for row, one in zip(rows, packages, strict=True) for cpe in one.cpes)
    return [ids[row.identity][0] for row in rows]


class Distinct(msgspec.Struct, frozen=True):
    """A package as a row says it."""

    ecosystem: str
    namespace: str
    name: str
    version: str
    arch: str
    license: str


def distinct(packages: Iterable[Package]) -> Iterator[Distinct]:
    """The rows that these packages have, or would have, each once."""
    for row in {row.identity: row for row in map(_row, packages)}.values():
        yield Distinct(row.ecosystem, row.namespace, row.name, row.version, row.arch[:MAX_ARCH], row.license)


def _known(identities: Collection[bytes]) -> dict[bytes, tuple[int, int]]:
    """Id and component of each that has a row. Those are nearly all: their components and licences need no asking."""
    if not identities:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT uuid_send(identity), id, component_id FROM store_package WHERE identity = ANY(%s::uuid[])",
            [_uuids(identities)],
        )
        return {bytes(identity): (number, component) for identity, number, component in cursor.fetchall()}


def _made(rows: dict[bytes, _Row]) -> dict[bytes, tuple[int, int]]:
    expressions = {row.license for row in rows.values() if row.license}
    licenses = _upsert("license", {hashlib.sha256(one.encode()).digest(): (one,) for one in expressions})
    of_expression = {one: licenses[hashlib.sha256(one.encode()).digest()] for one in expressions}
    named = {row.component: (row.ecosystem, row.namespace, row.name) for row in rows.values()}
    components = _upsert("component", named)
    ids = _upsert(
        "package",
        {
            row.identity: (
                components[row.component], row.version, version_key(row.ecosystem, row.version), row.arch[:MAX_ARCH],
                row.role, row.purl, of_expression.get(row.license), row.supplier, row.checksum, row.built_from,
            )
            for row in rows.values()
        },
    )  # fmt: skip
    return {row.identity: (ids[row.identity], components[row.component]) for row in rows.values()}


def identity(package: Package) -> bytes:
    """What makes this the package of a row."""
    return _row(package).identity


def _row(package: Package) -> _Row:
    """Builds of an image name the same packages again and again: most rows are remembered."""
    named = (
        package.ecosystem, package.namespace, package.purl_name, package.name, package.version, package.arch,
        package.role, package.purl, package.license, package.supplier, package.built_from,
    )  # fmt: skip
    of = _remembered if sum(map(len, named)) <= MAX_REMEMBERED_CHARACTERS else _row_of
    return of(_checksum(package), *named)


def _row_of(checksum: bytes | None, *named: str) -> _Row:
    ecosystem, namespace, purl_name, name, version, arch, role, purl, license_text, supplier, built_from = (
        storable(text) for text in named  # a purl may spell NUL as %00: what PostgreSQL refuses is shown escaped
    )  # fmt: skip
    if not is_stated(supplier):
        supplier = ""  # NOASSERTION is SPDX's way to say nothing; CycloneDX says nothing by saying nothing
    component = (ecosystem[:MAX_ECOSYSTEM], namespace, purl_name or name)
    rest = (version, arch, role, purl, license_text, supplier)
    return _Row(
        _identity((*component, *rest, checksum.hex() if checksum else "", built_from)),
        _identity(component),
        *component,
        *rest,
        checksum,
        built_from,
    )


_remembered = lru_cache(maxsize=REMEMBERED)(_row_of)


def _identity(fields: Iterable[str]) -> bytes:
    """blake2b-128. Every field carries its length, so that no two lists of fields spell the same bytes."""
    digest = hashlib.blake2b(digest_size=16)
    for field in fields:
        encoded = field.encode()
        digest.update(len(encoded).to_bytes(4, "big"))
        digest.update(encoded)
    return digest.digest()


def _checksum(package: Package) -> bytes | None:
    for algorithm, length in (("SHA256", 32), ("SHA1", 20)):
        for checksum in package.checksums:
            if checksum.algorithm == algorithm and len(checksum.value) == 2 * length and _is_hex(checksum.value):
                return bytes.fromhex(checksum.value)
    return None


def _is_hex(text: str) -> bool:
    return set(text) <= set("0123456789abcdef")


def _upsert(table: str, rows: dict[bytes, tuple[Any, ...]]) -> dict[bytes, int]:
    """Id by key. Known ones are looked up, the others copied in and inserted in order, lost races looked up again."""
    ids = _lookup(table, rows.keys())
    missing = sorted(rows.keys() - ids.keys())
    if missing:
        key = "sha256" if table == "license" else "identity"
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS incoming_{table} {_INCOMING[table]} ON COMMIT DELETE ROWS")
            cursor.execute(f"DELETE FROM incoming_{table}")  # noqa: S608  (table names of ours)
            columns = _INCOMING[table]
            names = ", ".join(column.split()[0] for column in columns.strip("()").split(","))
            with cursor.copy(f"COPY incoming_{table} ({names}) FROM STDIN") as copy:
                for name in missing:
                    # licences come as (expression,): the key is one of their columns, as it is of the others'
                    copy.write_row((name if table == "license" else name.hex(), *rows[name]))
            cursor.execute(
                f"INSERT INTO store_{table} ({names}) SELECT {names} FROM incoming_{table} ORDER BY {key}"  # noqa: S608
                f" ON CONFLICT ({key}) DO NOTHING"
            )
        ids |= _lookup(table, missing)
    return ids


def _lookup(table: str, keys: Collection[bytes]) -> dict[bytes, int]:
    if not keys:
        return {}
    column, key, value = (
        ("sha256", "sha256 = ANY(%s)", list(keys))
        if table == "license"
        else ("uuid_send(identity)", "identity = ANY(%s::uuid[])", _uuids(keys))
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column}, id FROM store_{table} WHERE {key}", [value])  # noqa: S608
        return {bytes(found): number for found, number in cursor.fetchall()}


def _uuids(keys: Iterable[bytes]) -> str:
    """As one literal: a list would be written item by item in Python."""
    return "{" + ",".join(map(bytes.hex, keys)) + "}"
