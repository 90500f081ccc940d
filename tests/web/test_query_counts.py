"""Lists ask the database as often for ten rows as for two."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.store import factories as make

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["home", "images", "identities", "licenses", "package-search"])
def test_more_images_need_no_more_queries(client: Client, name: str) -> None:
    def ask(images: range) -> int:
        for number in images:
            child = make.manifest(make.image(f"registry.example/image-{number}"), str(number))
            make.sbom(child, make.package("3.3.1-r0"), make.package("3.3.2-r0"))
            make.tag(make.index(child.image, child), "latest")
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse(name), {"q": "openssl"} if name == "package-search" else {}).status_code == 200
        return len(queries)

    assert ask(range(2)) == ask(range(2, 12))
