"""An empty registry, and the way to it of a round that need not wait."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cgexplorer.oci.patience import Patience
from cgexplorer.oci.registry import Registry, connect
from tests.fakes.registry import FakeRegistry


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        yield running


@pytest.fixture
def source(registry: FakeRegistry) -> Iterator[Registry]:
    patience = Patience(sleep=lambda _: None, first_byte_s=2)
    with connect(registry.host, insecure=frozenset([registry.host]), patience=patience) as connected:
        yield connected
