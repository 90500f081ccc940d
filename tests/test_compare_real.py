"""Real pairs against what a person counted in the raw JSON (names before and after as sets, then by eye)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cgexplorer.compare import ComparedPackage, Difference, PackageDifferences, Side, compare
from cgexplorer.predicates import apko
from cgexplorer.spdx.document import CONTENTS
from cgexplorer.spdx.parse import parse


def kubernetes(shared: Path, name: str) -> Side:
    path = shared / "spdx/syft-kubernetes" / f"syft-spdx-k8s.gcr.io-kube-{name}.json"
    found = parse(path.read_bytes())
    packages = (
        ComparedPackage(one.ecosystem, one.namespace, one.purl_name, one.version, one.arch, one.license)
        for one in found.packages
        if one.role in CONTENTS
    )
    return Side(reference=path.name, digest="", packages=tuple(packages), generator=found.generator)


def apko_image(shared: Path, name: str) -> Side:
    """A resolved configuration names every package with its version, so it stands for an SBOM too."""
    configuration = json.loads((shared / "apko-configs/samples" / f"{name}.json").read_bytes())["config"]
    found = apko.parse(json.dumps(configuration).encode())
    packages = tuple(ComparedPackage("apk", "wolfi", one.name, one.version) for one in found.packages)
    return Side(reference=name, digest="", packages=packages, config=found.flat())


def counts(found: PackageDifferences) -> dict[str, int]:
    return {name: found_ if isinstance(found_, int) else len(found_) for name, found_ in (
        (name, getattr(found, name)) for name in PackageDifferences.__struct_fields__
    )}  # fmt: skip


def counted(added: int = 0, removed: int = 0, upgraded: int = 0, licences: int = 0, unchanged: int = 0) -> object:
    return {"added": added, "removed": removed, "upgraded": upgraded, "downgraded": 0, "changed": 0,
            "license_changed": licences, "unchanged": unchanged}  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("apiserver.v1.25.1", "apiserver.v1.25.2", counted(upgraded=1, unchanged=142)),
        ("apiserver.v1.24.1", "apiserver.v1.25.1", counted(added=139, upgraded=2, unchanged=2)),
        # Debian gave way to distroless: 99 and 83 names, 7 of them the same.
        ("proxy.v1.24.1", "proxy.v1.25.1", counted(added=76, removed=92, upgraded=2, licences=2, unchanged=5)),
        ("proxy.v1.25.1", "proxy.v1.25.2", counted(upgraded=1, unchanged=82)),
    ],
)
def test_releases_of_kubernetes(shared: Path, before: str, after: str, expected: object) -> None:
    found = compare(kubernetes(shared, before), kubernetes(shared, after))
    assert counts(found.packages) == expected
    assert found.warnings == ()


def test_a_patch_release_of_kubernetes_is_another_commit_and_nothing_else(shared: Path) -> None:
    found = compare(kubernetes(shared, "apiserver.v1.25.1"), kubernetes(shared, "apiserver.v1.25.2"))
    (kubernetes_itself,) = found.packages.upgraded
    assert kubernetes_itself.name == "k8s.io/kubernetes"
    assert kubernetes_itself.before == ("v0.0.0-20220914194059-e4d4e1ab7cf1",)
    assert kubernetes_itself.after == ("v0.0.0-20220921142545-5835544ca568",)


def test_what_moved_in_the_proxy_and_which_licences_came(shared: Path) -> None:
    found = compare(kubernetes(shared, "proxy.v1.24.1"), kubernetes(shared, "proxy.v1.25.1"))
    assert [(one.name.rpartition("/")[2], one.before, one.after) for one in found.packages.upgraded] == [
        ("base-files", ("11.1+deb11u3",), ("11.1+deb11u4",)),
        ("libssl1.1", ("1.1.1n-0+deb11u1",), ("1.1.1n-0+deb11u3",)),
    ]
    licences = {one.name.rpartition("/")[2]: (one.before, one.after) for one in found.packages.license_changed}
    assert licences.keys() == {"dash", "grep"}
    assert licences["grep"] == ("", "GPL-3.0-only AND GPL-3.0-or-later")
    assert {"libc6", "zlib1g", "gnupg"} <= {one.name.rpartition("/")[2] for one in found.packages.removed}
    assert {"tzdata", "openssl"} <= {one.name.rpartition("/")[2] for one in found.packages.added}


@pytest.mark.parametrize(
    ("name", "dates", "expected"),
    [
        ("static", ("2026-04-13", "2026-08-13"), counted(upgraded=3)),
        ("nginx", ("2026-04-14", "2026-08-22"), counted(added=4, removed=4, upgraded=14, unchanged=1)),
        ("python", ("2026-04-14", "2026-08-22"), counted(added=3, removed=3, upgraded=19, unchanged=3)),
        ("postgres", ("2026-04-14", "2026-08-21"), counted(added=9, removed=9, upgraded=41, unchanged=6)),
    ],
)
def test_four_months_of_chainguards_images(shared: Path, name: str, dates: tuple[str, str], expected: object) -> None:
    found = between(shared, name, *dates)
    assert counts(found.packages) == expected
    # Nothing but packages was configured otherwise: each that came, went or moved is one line.
    moved = [*found.packages.added, *found.packages.removed, *found.packages.upgraded]
    assert {one.path for one in found.config} == {f"contents.packages.{one.name.rpartition('/')[2]}" for one in moved}
    assert len(found.config) == len(moved)


def test_the_c_library_was_renamed_after_its_version(shared: Path) -> None:
    found = between(shared, "python", "2026-04-14", "2026-08-22").packages
    assert {one.name.rpartition("/")[2] for one in found.removed} == {"glibc", "glibc-locale-posix", "ld-linux"}
    added = {"glibc-2.43", "glibc-2.43-locale-posix", "ld-linux-2.43"}
    assert {one.name.rpartition("/")[2] for one in found.added} == added
    # A dot is worth more than a _p to apk: ncurses went up.
    ncurses = next(one for one in found.upgraded if one.name.rpartition("/")[2] == "ncurses")
    assert (ncurses.before, ncurses.after) == (("6.6_p20251230-r6",), ("6.6.20260815-r0",))


def between(shared: Path, name: str, *dates: str) -> Difference:
    before, after = (apko_image(shared, f"{name}-public_amd64_{date}") for date in dates)
    return compare(before, after)
