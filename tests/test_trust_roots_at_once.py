"""Trust roots when several workers come at the same moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from cgexplorer.oci.origin import Trusted
from cgexplorer.oci.transport import Transport
from cgexplorer.store.models import TrustRoot, TrustUpdate
from cgexplorer.store.record import trust_roots
from cgexplorer.verify import trust_refresh
from tests.at_once import together
from tests.fakes.tuf import FakeTuf
from tests.ingesting import NOW, sigstore

WORKERS = 6


@pytest.mark.django_db(transaction=True)
def test_the_shipped_root_is_one_step_however_many_find_it_first() -> None:
    assert together(*[lambda: trust_roots.public_good(NOW)] * WORKERS) == []
    assert (TrustRoot.objects.count(), TrustUpdate.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_an_import_that_is_made_twice_is_one_step() -> None:
    raw = sigstore().trusted_root()
    assert together(*[lambda: trust_roots.trust_root(raw, "acme", now=NOW)] * WORKERS) == []
    assert (TrustRoot.objects.count(), TrustUpdate.objects.count()) == (1, 1)


def test_refreshes_at_the_same_time_wait_for_each_other(tmp_path: Path) -> None:
    """python-tuf replaces files one by one: side by side they would take them from each other."""
    tuf = FakeTuf(sigstore().trusted_root())
    tuf.rotate_root()
    found = []
    with tuf.served() as mirror:

        def ask() -> None:
            with Transport(trusted=Trusted(frozenset({mirror.removeprefix("http://")}))) as transport:
                found.append(trust_refresh.refresh(tmp_path, mirror, transport, first=tuf.first_root))

        assert together(*[ask] * WORKERS) == []
    assert len(set(map(repr, found))) == 1
