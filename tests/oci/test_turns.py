"""Who else asks a host decides when this process may."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cgexplorer.oci.errors import NotNow
from cgexplorer.oci.patience import Patience
from cgexplorer.oci.registry import connect
from tests.fakes.registry import FakeRegistry, Fault

REPOSITORY = "team/app"


class GivesWay:
    def __init__(self) -> None:
        self.held: list[str] = []

    @contextmanager
    def slot(self, host: str, longest_s: float) -> Iterator[None]:
        self.held.append(host)
        yield

    def may_wait(self) -> bool:
        return False


def test_every_request_waits_for_a_slot_of_its_host() -> None:
    turns = GivesWay()
    with FakeRegistry() as fake:
        digest = fake.push_image(REPOSITORY, "latest")
        with connect(fake.host, insecure=frozenset([fake.host]), turns=turns) as registry:
            registry.manifest(REPOSITORY, digest)
            registry.resolve(REPOSITORY, "latest")
    assert turns.held == [fake.host] * len(fake.requests) == [fake.host] * 2


def test_who_gives_way_tries_once_and_then_asks_no_more() -> None:
    slept: list[float] = []
    with FakeRegistry() as fake:
        digest = fake.push_image(REPOSITORY, "latest")
        fake.fault, fake.retry_after = Fault.TOO_MANY, "60"
        patience = Patience(sleep=slept.append)
        with connect(fake.host, insecure=frozenset([fake.host]), patience=patience, turns=GivesWay()) as registry:
            with pytest.raises(NotNow, match=r"429 .* Another job already waits for it\.$") as refused:
                registry.manifest(REPOSITORY, digest)
            fake.fault = Fault.NONE
            with pytest.raises(NotNow):
                registry.resolve(REPOSITORY, "latest")
    assert refused.value.retry_after_s == 60
    assert (len(fake.requests), slept) == (1, [])
