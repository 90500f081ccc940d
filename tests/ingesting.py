"""What tests of ingestion share: a throwaway Sigstore that a policy trusts, and SPDX documents in apko's shape."""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Any

from django.apps import apps
from django.db import connection

from cgexplorer import ingest
from cgexplorer.oci import reference as references
from cgexplorer.store.models import PolicyRow
from cgexplorer.store.record.policies import PolicyFields, policy
from cgexplorer.store.record.trust_roots import trust_root
from tests.fakes.sigstore import GITHUB, WORKFLOW, FakeSigstore
from tests.fakes.source import MemorySource

NOW = dt.datetime(2026, 8, 1, 12, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(hours=1)
NAME = "registry.example/app"


@cache
def sigstore() -> FakeSigstore:
    return FakeSigstore(NOW - dt.timedelta(days=1))


def allow(identity: str = WORKFLOW, *, pattern: str = "registry.example/*") -> PolicyRow:
    """A policy that trusts the throwaway Sigstore; with another identity, its next version."""
    root = trust_root(sigstore().trusted_root(), "throwaway", now=NOW)
    return policy("test", PolicyFields(pattern=pattern, issuer=GITHUB, identity=identity), root)


def fetch(
    source: Any, reference: str = f"{NAME}:latest", *, now: dt.datetime = NOW, trigger: str = "ingest"
) -> ingest.IngestReport:
    return ingest.ingest(references.parse(reference), source, trigger=trigger, now=now)


def spdx(*names: str, **more: Any) -> dict[str, Any]:
    """A small document; `name@version` each an installed apk."""
    packages = [package(name, number) for number, name in enumerate(names)]
    return {
        "spdxVersion": "SPDX-2.3",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "sbom",
        "documentNamespace": "https://spdx.org/spdxdocs/apko/",
        "dataLicense": "CC0-1.0",
        "creationInfo": {"created": "2026-07-01T00:00:00Z", "creators": ["Tool: apko (0.30.1)"]},
        "packages": packages,
        **more,
    }


def package(called: str, number: int = 0, /, **more: Any) -> dict[str, Any]:
    plain, _, version = called.partition("@")
    return {
        "SPDXID": f"SPDXRef-Package-{number}",
        "name": plain,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "licenseDeclared": "MIT",
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": f"pkg:apk/wolfi/{plain}@{version}?arch=x86_64",
            }
        ],
        **more,
    }


def signed_image(*names: str, tag: str = "latest", into: MemorySource | None = None, **more: Any) -> MemorySource:
    """A source with one image: signed, and with an SPDX attestation that lists these packages."""
    source = into or MemorySource()
    digest = source.push_image(tag, **more)
    sign(source, digest)
    attest(source, digest, spdx(*(names or ("openssl@3.3.1-r0",))))
    return source


def sign(source: MemorySource, digest: str, identity: str = WORKFLOW) -> None:
    source.attach(sigstore().signature(digest, sigstore().leaf(identity)))


def attest(source: MemorySource, digest: str, *documents: Any, identity: str = WORKFLOW) -> None:
    """One SPDX attestation a document."""
    one = sigstore()
    source.attach(*(one.attestation(digest, one.leaf(identity), predicate=document) for document in documents))


def tables(*, without: tuple[str, ...] = ("observed_at",)) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the store, without these columns."""
    dump = {}
    with connection.cursor() as cursor:
        for model in apps.get_app_config("store").get_models():
            columns = [field.column for field in model._meta.concrete_fields if field.column not in without]
            columns = [column for column in columns if column]
            cursor.execute(f"SELECT {', '.join(columns)} FROM {model._meta.db_table} ORDER BY 1, 2")
            dump[model.__name__] = [
                tuple(bytes(cell) if isinstance(cell, memoryview) else repr(cell) for cell in row)
                for row in cursor.fetchall()
            ]
    return dump
