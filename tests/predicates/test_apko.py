from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cgexplorer.predicates import PredicateError, apko
from cgexplorer.predicates.apko import Group, User, WantedPackage


def test_chainguards_attested_configuration_is_read_whole(shared: Path) -> None:
    statement = json.loads((shared / "chainguard-postgres/apko-image-configuration.statement.json").read_bytes())
    found = apko.parse(json.dumps(statement["predicate"]).encode())
    assert len(found.packages) == 56
    assert found.packages[0] == WantedPackage("bash", "5.3-r12", "=5.3-r12")
    assert found.users == (User("postgres", "70", "70", "/home/postgres"),)
    assert found.groups == (Group("postgres", "70"),)
    assert found.entrypoint == "/usr/bin/docker-entrypoint.sh postgres"
    assert ("LANG", "en_US.UTF-8") in found.environment
    assert found.paths[0].permissions == "0777"
    assert found.layering == (("budget", "10"), ("strategy", "origin"))
    assert found.other == ()


def test_every_real_configuration_is_read_without_unknown_fields(shared: Path) -> None:
    samples = sorted((shared / "apko-configs/samples").glob("*.json"))
    assert len(samples) == 9
    for sample in samples:
        found = apko.parse(json.dumps(json.loads(sample.read_bytes())["config"]).encode())
        assert found.packages
        assert all(one.version for one in found.packages)
        assert found.other == ()


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("bash=5.3-r12", WantedPackage("bash", "5.3-r12", "=5.3-r12")),
        ("ca-certificates-bundle", WantedPackage("ca-certificates-bundle")),
        ("go~1.26", WantedPackage("go", "", "~1.26")),
        ("go>=1.26@local", WantedPackage("go", "", ">=1.26", "local")),
        ("go=~1.26", WantedPackage("go", "", "=~1.26")),
        ("libstdc++=16.1.0-r4", WantedPackage("libstdc++", "16.1.0-r4", "=16.1.0-r4")),
        ("=odd", WantedPackage("=odd")),
    ],
)
def test_packages_are_read_as_apk_reads_its_world(line: str, read: WantedPackage) -> None:
    assert apko.wanted(line) == read


def test_the_order_of_packages_and_repositories_is_no_difference() -> None:
    one = apko.parse(b'{"contents": {"packages": ["a=1", "b=2"], "repositories": ["x", "y"]}}')
    other = apko.parse(b'{"contents": {"packages": ["b=2", "a=1"], "repositories": ["y", "x"]}}')
    assert one.flat() == other.flat()
    assert one.flat()["contents.packages.a"] == "=1"


def test_a_field_without_a_name_here_is_shown_all_the_same() -> None:
    assert apko.parse(b'{"archs": [], "future": {"a": [1]}}').other == (("future.a[0]", "1"),)


@pytest.mark.parametrize("wrong", [None, 1, "text", [1, None], {"a": {}}, [{"username": {}, "uid": []}]])
def test_fields_of_a_wrong_type_are_empty_and_cost_nothing_else(wrong: Any) -> None:
    keys = ("contents", "accounts", "entrypoint", "environment", "annotations", "paths", "volumes", "layering", "cmd")
    found = apko.parse(json.dumps({"archs": ["amd64"]} | dict.fromkeys(keys, wrong)).encode())
    assert found.archs == ("amd64",)
    assert found.packages == ()


@pytest.mark.parametrize(
    ("raw", "sentence"), [(b"no", "not JSON"), (b"1", "not an object"), (b"{}", "no apko image configuration")]
)
def test_what_is_no_configuration_is_said_in_a_sentence(raw: bytes, sentence: str) -> None:
    with pytest.raises(PredicateError, match=sentence):
        apko.parse(raw)
