from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from urllib.parse import unquote

import pytest

from cgexplorer import compare as comparing
from cgexplorer.compare import ComparedPackage, Difference, LicenseChange, Side, ValueChange, VersionChange, compare
from cgexplorer.spdx.document import CONTENTS
from cgexplorer.spdx.parse import parse


def apk(name: str, version: str, license: str = "MIT", arch: str = "x86_64") -> ComparedPackage:
    return ComparedPackage("apk", "wolfi", name, version, arch, license)


def side(*packages: ComparedPackage, **fields: object) -> Side:
    given = {"reference": "example/a:1", "digest": "sha256:1", "generator": "apko 1.2.14"} | fields
    return Side(packages=packages, **given)  # type: ignore[arg-type]


def difference(before: list[ComparedPackage], after: list[ComparedPackage]) -> comparing.PackageDifferences:
    return compare(side(*before), side(*after)).packages


def test_a_package_of_one_side_only_is_added_or_removed() -> None:
    found = difference([apk("a", "1-r0")], [apk("b", "2-r0")])
    assert [(one.name, one.version) for one in found.added] == [("b", "2-r0")]
    assert [(one.name, one.version) for one in found.removed] == [("a", "1-r0")]


def test_one_version_gone_and_one_come_is_an_upgrade_or_a_downgrade() -> None:
    found = difference([apk("a", "1.9-r0"), apk("b", "2-r1")], [apk("a", "1.10-r0"), apk("b", "2-r0")])
    assert found.upgraded == (VersionChange("a", "apk", ("1.9-r0",), ("1.10-r0",), "wolfi"),)
    assert found.downgraded == (VersionChange("b", "apk", ("2-r1",), ("2-r0",), "wolfi"),)


def test_a_version_that_stays_beside_one_that_moves_is_not_part_of_the_upgrade() -> None:
    found = difference([apk("a", "1-r0"), apk("a", "2-r0")], [apk("a", "1-r0"), apk("a", "3-r0")])
    assert [(one.before, one.after) for one in found.upgraded] == [(("2-r0",), ("3-r0",))]


def test_several_versions_gone_or_come_are_versions_changed_with_all_of_each_side() -> None:
    found = difference([apk("a", "10-r0"), apk("a", "9-r0")], [apk("a", "9-r0")])
    assert [(one.before, one.after) for one in found.changed] == [(("9-r0", "10-r0"), ("9-r0",))]


def test_a_direction_that_nobody_knows_is_a_change_and_not_guessed() -> None:
    found = difference([apk("a", "@CURRENT@")], [apk("a", "1-r0")])
    assert [(one.before, one.after) for one in found.changed] == [(("@CURRENT@",), ("1-r0",))]
    assert found.upgraded == found.downgraded == ()


def test_the_same_version_under_another_licence_is_a_licence_change() -> None:
    found = difference([apk("a", "1-r0", "MIT")], [apk("a", "1-r0", "Apache-2.0")])
    assert found.license_changed == (LicenseChange("a", "apk", "1-r0", "MIT", "Apache-2.0", "wolfi"),)
    assert found.unchanged == 1


def test_the_same_licence_written_another_way_is_none() -> None:
    found = difference([apk("a", "1-r0", "MIT AND (ISC OR Zlib)")], [apk("a", "1-r0", "(Zlib OR ISC) AND MIT")])
    assert found.license_changed == ()


def test_an_upgrade_that_changes_the_licence_is_only_an_upgrade() -> None:
    found = difference([apk("a", "1-r0", "MIT")], [apk("a", "2-r0", "ISC")])
    assert (len(found.upgraded), found.license_changed) == (1, ())


def test_names_of_different_ecosystems_and_distributions_are_different_packages() -> None:
    before = [ComparedPackage("apk", "wolfi", "zlib", "1"), ComparedPackage("deb", "debian", "zlib", "1")]
    after = [ComparedPackage("apk", "alpine", "zlib", "1"), ComparedPackage("deb", "debian", "zlib", "1")]
    found = difference(before, after)
    assert [one.namespace for one in found.removed] == ["wolfi"]
    assert [one.namespace for one in found.added] == ["alpine"]


def test_two_platforms_of_one_image_have_the_same_packages() -> None:
    one, other = (
        side(apk("a", "1-r0"), platform="linux/amd64"),
        side(apk("a", "1-r0", arch="aarch64"), platform="linux/arm64"),
    )
    found = compare(one, other)
    assert not found.differs
    assert found.warnings == ("The platforms differ: linux/amd64 and linux/arm64.",)


def test_where_one_side_has_two_architectures_they_are_two_packages() -> None:
    amd64, i386 = (ComparedPackage("deb", "debian", "libc6", "2", arch) for arch in ("amd64", "i386"))
    found = difference([amd64, i386], [amd64])
    assert [(one.name, one.arch) for one in found.removed] == [("libc6", "i386")]


def test_licences_come_and_go_as_names_whatever_expressions_hold_them() -> None:
    found = compare(side(apk("a", "1", "MIT OR ISC")), side(apk("a", "1", "ISC AND LicenseRef-Own"))).licenses
    assert (found.added, found.removed) == (("LicenseRef-Own",), ("MIT",))


def test_values_differ_by_path_and_absent_is_null() -> None:
    found = compare(
        side(config={"cmd": "a", "same": "1", "gone": "x"}), side(config={"cmd": "b", "same": "1", "new": "y"})
    )
    assert found.config == (ValueChange("cmd", "a", "b"), ValueChange("gone", "x", None), ValueChange("new", None, "y"))


def test_another_signer_alone_is_a_difference() -> None:
    found = compare(side(signer="https://example.test/a"), side(signer="https://example.test/b"))
    assert found.differs
    assert (found.signer.before, found.signer.after) == ("https://example.test/a", "https://example.test/b")


def test_sboms_of_two_tools_are_compared_with_a_warning() -> None:
    (warning,) = compare(side(), side(generator="syft 1.57.0")).warnings
    assert "apko 1.2.14 and syft 1.57.0" in warning


def test_a_side_without_an_sbom_has_unknown_packages_not_none() -> None:
    found = compare(side(apk("a", "1", license="MIT")), side(reference="example/b:2", has_sbom=False, generator=""))
    assert found.warnings == ("There is no SBOM of example/b:2: its packages are unknown, not absent.",)
    assert found.packages.removed == found.licenses.removed == ()
    assert found.unknown[:2] == ("packages", "licenses")
    assert comparing.sentence(found) == "Packages unknown, for want of an SBOM."


def test_an_sbom_of_an_unnamed_tool_is_an_sbom() -> None:
    found = compare(side(apk("a", "1")), side(apk("a", "1"), generator=""))
    assert found.warnings[0].startswith("The SBOMs were made by apko 1.2.14 and an unnamed tool:")
    assert "packages" not in found.unknown


def test_what_neither_side_has_is_unknown_not_the_same() -> None:
    assert compare(side(), side()).unknown == ("config", "provenance")
    assert compare(side(config={}), side(config={}, provenance={"builder": "b"})).unknown == ()


def test_a_configuration_that_is_not_stored_is_unknown_not_gone() -> None:
    found = compare(side(config={"cmd": "x"}), side())
    assert found.config == ()
    assert "config" in found.unknown


def test_the_sentence_names_what_else_differs() -> None:
    same = apk("a", "1")
    signer = compare(side(same, signer="a"), side(same, signer="b"))
    assert comparing.sentence(signer) == "The same packages."
    config = compare(side(same, config={"cmd": "x"}), side(same, config={"cmd": "y"}))
    assert comparing.sentence(config) == "The same packages; configuration differs."


def test_the_sentence_flags_new_licences() -> None:
    found = compare(side(apk("a", "1", license="MIT")), side(apk("a", "2", license="AGPL-3.0-only")))
    assert comparing.sentence(found) == "1 package upgraded; 1 new licence."


def test_the_same_twice_differs_in_nothing() -> None:
    found = compare(side(apk("a", "1-r0")), side(apk("a", "1-r0")))
    assert not found.differs
    assert comparing.sentence(found) == "The same packages."


def test_the_sentence_counts_what_there_is() -> None:
    before, after = side(apk("a", "1"), apk("b", "1"), apk("c", "1")), side(apk("a", "2"), apk("b", "2"), apk("d", "1"))
    assert comparing.sentence(compare(before, after)) == "1 package added, 1 removed, 2 upgraded."


def test_the_json_has_the_fields_that_scripts_rely_on() -> None:
    before = side(apk("a", "1-r0"), platform="linux/amd64", signer="s", config={"cmd": "x"})
    after = side(apk("a", "2-r0"), apk("b", "1-r0"), reference="example/a:2", digest="sha256:2", config={})
    body = json.loads(compare(before, after).as_json())
    assert list(body)[:9] == [
        *("schema", "from", "to", "packages", "licenses", "config", "provenance", "signer", "warnings"),
    ]
    assert body["schema"] == "cgexplorer.diff/1"
    assert body["from"] == {"reference": "example/a:1", "digest": "sha256:1", "platform": "linux/amd64"}
    assert body["to"] == {"reference": "example/a:2", "digest": "sha256:2", "platform": None}
    assert {"name": "b", "ecosystem": "apk", "version": "1-r0"}.items() <= body["packages"]["added"][0].items()
    upgraded = {"name": "a", "ecosystem": "apk", "from": ["1-r0"], "to": ["2-r0"]}
    assert upgraded.items() <= body["packages"]["upgraded"][0].items()
    for name in ("removed", "downgraded", "changed", "license_changed"):
        assert body["packages"][name] == []
    assert body["licenses"] == {"added": [], "removed": []}
    assert body["config"] == [{"path": "cmd", "from": "x", "to": None}]
    assert body["provenance"] == []
    assert body["signer"] == {"from": "s", "to": None}


def of_file(path: Path) -> Side:
    found = parse(path.read_bytes())
    packages = (
        ComparedPackage(one.ecosystem, one.namespace, one.purl_name, one.version, one.arch, one.license)
        for one in found.packages
        if one.role in CONTENTS
    )
    return Side(reference=path.name, digest="", packages=tuple(packages), generator=found.generator)


def by_hand(path: Path) -> dict[str, set[str]]:
    """Versions by purl without version and qualifiers, read with json and a regular expression only."""
    found: dict[str, set[str]] = defaultdict(set)
    for package in json.loads(path.read_bytes())["packages"]:
        for reference in package.get("externalRefs", ()):
            if reference["referenceType"] == "purl":
                match = re.match(r"(pkg:[^@?#]+)(?:@([^?#]*))?", reference["referenceLocator"])
                assert match
                found[match[1]].add(unquote(match[2] or package.get("versionInfo", "")))
    return found


PAIRS = [
    ("spdx/syft-kubernetes/syft-spdx-k8s.gcr.io-kube-apiserver", ".v1.25.1.json", ".v1.25.2.json"),
    ("spdx/syft-kubernetes/syft-spdx-k8s.gcr.io-kube-apiserver", ".v1.24.1.json", ".v1.25.1.json"),
    ("spdx/syft-kubernetes/syft-spdx-k8s.gcr.io-kube-proxy", ".v1.24.1.json", ".v1.25.1.json"),
    ("sboms-of-tools/cosign", "-2.6.5.spdx.json", "-3.1.3.spdx.json"),
]


def changed(found: Difference) -> int:
    return len(found.packages.upgraded) + len(found.packages.downgraded) + len(found.packages.changed)


@pytest.mark.parametrize(("stem", "first", "second"), PAIRS)
def test_real_pairs_have_the_counts_that_sets_give(shared: Path, stem: str, first: str, second: str) -> None:
    paths = shared / (stem + first), shared / (stem + second)
    old, new = map(by_hand, paths)
    found = compare(*map(of_file, paths))
    assert len(found.packages.added) == sum(len(new[name]) for name in new.keys() - old.keys())
    assert len(found.packages.removed) == sum(len(old[name]) for name in old.keys() - new.keys())
    assert changed(found) == sum(old[name] != new[name] for name in old.keys() & new.keys())
    assert found.packages.unchanged == sum(old[name] == new[name] for name in old.keys() & new.keys())
    assert found.warnings == ()


def test_cosign_2_to_3_is_127_upgrades_9_new_modules_and_18_gone(shared: Path) -> None:
    stem = shared / "sboms-of-tools"
    found = compare(of_file(stem / "cosign-2.6.5.spdx.json"), of_file(stem / "cosign-3.1.3.spdx.json"))
    assert comparing.sentence(found) == "9 packages added, 18 removed, 127 upgraded."
    assert "github.com/sigstore/cosign/v2" in [one.name for one in found.packages.removed]
    assert "github.com/sigstore/cosign/v3" in [one.name for one in found.packages.added]
