"""A tag beside its own past, and one platform beside another."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from cgexplorer.store.queries import references
from cgexplorer.store.queries.build_history import build_history
from cgexplorer.store.queries.compare import compare
from cgexplorer.store.queries.references import UnknownReference
from tests.store import factories as make

pytestmark = pytest.mark.django_db

NAME = "cgr.dev/chainguard/go"
REFERENCE = f"{NAME}:latest"


@pytest.fixture
def builds() -> list:
    """Three builds of two platforms, the newest last; the second upgrades, the third adds one and removes one."""
    image = make.image(NAME)
    contents = (("1.0-r0", "musl"), ("1.1-r0", "musl"), ("1.1-r0", "glibc"))
    found = []
    for number, (version, libc) in enumerate(contents):
        children = []
        for platform in ("linux/amd64", "linux/arm64"):
            child = make.manifest(image, str(number), platform=platform, created_at=make.NOW + dt.timedelta(number))
            extra = [make.package("7", make.component("only-arm"))] if platform == "linux/arm64" else []
            make.sbom(child, make.package(version), make.package("1", make.component(libc)), *extra)
            children.append(child)
        index = make.index(image, *children, seed=str(number))
        make.tag(index, "latest")
        found.append(index)
    return found


def test_a_tilde_means_what_the_tag_pointed_to_before(builds: list) -> None:
    assert references.manifest(REFERENCE) == builds[2]
    assert references.manifest(f"{REFERENCE}~1") == references.manifest(f"{REFERENCE}~") == builds[1]
    assert references.manifest(f"{REFERENCE}~2") == builds[0]


def test_a_tag_that_came_back_counts_once(builds: list) -> None:
    make.tag(builds[1], "latest")
    make.tag(builds[2], "latest")
    assert references.manifest(f"{REFERENCE}~2") == builds[0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"{REFERENCE}~3", "was seen at 3 digests"),
        (f"{REFERENCE}~99999", "not"),
        (f"{NAME}@sha256:{'0' * 64}~1", "no stored digest"),
        ("cgr.dev/none:1~1", "not stored here"),
        (f"{REFERENCE}~1~1", "is not valid"),
    ],
)
def test_a_past_that_is_not_there_says_so(builds: list, text: str, sentence: str) -> None:
    with pytest.raises(UnknownReference, match=sentence):
        references.manifest(text)


def test_each_build_is_compared_with_the_one_before(builds: list) -> None:
    found = build_history(REFERENCE)
    assert (found.platform, found.platforms) == ("linux/amd64", ("linux/amd64", "linux/arm64"))
    newest, middle, oldest = found.builds
    assert newest.changes is not None
    assert middle.changes is not None
    assert [one.name for one in newest.changes.added] == ["glibc"]
    assert [one.name for one in newest.changes.removed] == ["musl"]
    assert [(one.before, one.after) for one in middle.changes.upgraded] == [(("1.0-r0",), ("1.1-r0",))]
    assert (oldest.changes, oldest.before) == (None, None)


def test_the_oldest_build_shown_is_compared_with_the_one_that_is_not(builds: list) -> None:
    found = build_history(REFERENCE, count=1)
    assert len(found.builds) == 1
    assert found.more
    assert found.builds[0].changes is not None


def test_two_platforms_of_one_image_can_be_compared(builds: list) -> None:
    found = compare(REFERENCE, REFERENCE, "linux/amd64", "linux/arm64").difference
    assert [one.name for one in found.packages.added] == ["only-arm"]
    assert any("platforms differ" in warning for warning in found.warnings)


def test_a_platform_for_the_second_side_alone_is_refused(builds: list) -> None:
    with pytest.raises(UnknownReference, match="both sides"):
        compare(REFERENCE, REFERENCE, "", "linux/arm64")


def test_a_platform_that_came_or_went_is_a_difference(builds: list) -> None:
    image = builds[0].image
    child = make.manifest(image, "new", platform="linux/amd64")
    riscv = make.manifest(image, "new", platform="linux/riscv64")
    make.sbom(child, make.package("1.1-r0"))
    make.tag(make.index(image, child, riscv, seed="new"), "latest")
    found = compare(f"{REFERENCE}~1", REFERENCE).difference
    assert (found.platforms.added, found.platforms.removed) == (("linux/riscv64",), ("linux/arm64",))
    assert found.differs


def test_pages_say_it(builds: list) -> None:
    client = Client()
    page = client.get(reverse("builds"), {"of": REFERENCE}).content.decode()
    assert "1 upgraded" in page
    assert "1 added" in page
    page = client.get(reverse("compare"), {"from": f"{REFERENCE}~1", "to": REFERENCE}).content.decode()
    assert "1 package added, 1 removed" in page
    assert client.get(reverse("builds"), {"of": "<b>"}).status_code == 200
    assert client.get(reverse("builds-json"), {"of": "nope:1"}).status_code == 404
    assert client.get(reverse("builds-csv"), {"of": REFERENCE, "count": "x"}).status_code == 404
    assert client.get(reverse("builds"), {"of": f"{NAME}@{builds[0].digest}"}).content.count(b"has no past") == 1


def test_the_command_compares_with_the_past(builds: list, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("diff", f"{REFERENCE}~1", REFERENCE)
    assert "1 package added, 1 removed" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no linux/s390x"):
        call_command("diff", REFERENCE, REFERENCE, "--platform", "linux/amd64", "--to-platform", "linux/s390x")


def test_a_build_that_changed_a_licence_alone_says_so(client: Client) -> None:
    image = make.image(NAME)
    for number, license in enumerate(("MIT", "AGPL-3.0-only")):
        build = make.manifest(image, str(number), created_at=make.NOW + dt.timedelta(number))
        make.sbom(build, make.package("1", license=license))
        make.tag(build, "latest")
    text = client.get(reverse("builds"), {"of": REFERENCE}).content.decode()
    assert "1 with another licence" in text
    assert "the same packages" not in text
    rows = client.get(reverse("builds-json"), {"of": REFERENCE}).json()["builds"]
    assert [row["licences"] for row in rows] == [1, None]
