from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from univers import versions as univers

from cgexplorer.spdx import versions
from cgexplorer.spdx.versions import Constraint, ConstraintError, KeyRange, parse_constraint, version_key

ORDERED = {
    "apk": [
        *("0_git20240101-r1", "0_git20240202-r0", "0.0.0_git20231106-r0", "0.1-r0", "1.0.0_alpha1-r0"),
        *("1.0.0_alpha2-r0", "1.0.0_beta1-r0", "1.0.0_pre1-r0", "1.0.0_rc1-r0", "1.0.0-r0", "1.0.0-r2", "1.0.0-r10"),
        *("1.0.0_git20230101-r0", "1.0.0_p1-r0", "1.0.0_p20240101-r0", "1.0.0a-r0", "1.0.0b-r0", "1.0.0.1-r0"),
        *("1.02-r0", "1.1-r0", "1.9-r0", "1.10-r0", "3.3.2-r0", "3.3.10-r0", "12.2.1-r1", "12.2.1_git20220924-r4"),
        *("2024a-r0", "2024b-r0", "2025a-r0", "20230201-r9", "20230201-r30"),
    ],
    "deb": [
        *("0.9", "1.0~beta1", "1.0~rc1", "1.0~rc1-1", "1.0", "1.0-1~bpo1", "1.0-1", "1.0-1ubuntu1", "1.0-1+deb12u1"),
        *("1.0a-1", "1.0+dfsg-1", "1.0.1-1", "1.2.11.dfsg-2+deb11u2", "1.9", "1.10", "1:0.1", "2:0"),
    ],
    "rpm": [
        *("1.0~rc1-1", "1.0-1", "1.0^git1-1", "1.0a-1", "1.0.1-1", "4.4.20-1.el8", "4.4.20-4.el8_6", "4.4.20-10.el8"),
        *("1:0.1-1",),
    ],
    "npm": [
        *("0.0.1", "1.0.0-0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2"),
        *("1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0"),
    ],
    "golang": [
        *("v0.0.0-20220914194059-e4d4e1ab7cf1", "v0.0.0-20220921142545-5835544ca568", "v0.1.0", "v1.0.0-rc.1"),
        *("v1.0.0", "v1.2.3+incompatible", "1.9.0", "go1.20.1", "v2.0.0"),
    ],
    "pypi": [
        *("1.0.dev1", "1.0a1.dev1", "1.0a1", "1.0a1.post1", "1.0b2", "1.0rc1", "1.0", "1.0+local.1", "1.0.post1.dev1"),
        *("1.0.post1", "1.1", "1.10", "1!0.1"),
    ],
    "maven": [
        *("1.0-alpha-1", "1.0-alpha-2", "1.0-beta-1", "1.0-M1", "1.0-rc1", "1.0-rc2", "1.0-SNAPSHOT", "1.0"),
        *("1.0-sp1", "1.0-android", "1.0-jre", "1.0.1", "1.9", "1.10", "5.0.0.Beta1", "5.0.0.RC1", "5.0.0.Final"),
    ],
    "gem": ["1.0.a", "1.0.a.2", "1.0.pre", "1.0.rc1", "1.0", "1.0.1.rc1", "1.0.1", "1.9", "1.10", "2.0.0.beta.1"],
    "nuget": ["1.0.0-ALPHA", "1.0.0-beta", "1.0.0", "1.0.0.1", "1.0.1", "1.10.0"],
}


@pytest.mark.parametrize("ecosystem", ORDERED)
def test_keys_sort_as_the_ecosystem_does(ecosystem: str) -> None:
    wanted = ORDERED[ecosystem]
    keys = [version_key(ecosystem, one) for one in wanted]
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert [one for _, one in sorted(zip(keys, wanted, strict=True))] == wanted


@pytest.mark.parametrize(
    ("ecosystem", "one", "other"),
    [
        ("deb", "1.0", "1.0-0"),
        ("deb", "0:1.0-1", "1.0-1"),
        ("rpm", "0:1.0-1", "1.0-1"),
        ("npm", "v1.0.0", "1.0.0"),
        ("golang", "1.2.3", "v1.2.3+incompatible"),
        ("pypi", "1.0", "1"),
        ("pypi", "1.0c1", "1.0rc1"),
        ("maven", "1.0.0", "1"),
        ("maven", "5.0.0.Final", "5.0.0"),
        ("gem", "1.0.0", "1"),
        ("nuget", "1.0.0-Beta", "1.0.0-beta"),
    ],
)
def test_spellings_of_one_version_have_one_key(ecosystem: str, one: str, other: str) -> None:
    assert version_key(ecosystem, one) == version_key(ecosystem, other) is not None


@pytest.mark.parametrize(
    ("ecosystem", "version"),
    [
        *(("apk", "@CURRENT@"), ("apk", "1.0-rc1"), ("apk", ""), ("deb", "1.0_1"), ("deb", "-1"), ("rpm", "1.0-1-1")),
        *(
            ("npm", "latest"),
            ("npm", "1.x"),
            ("golang", "(devel)"),
            ("pypi", "1.0-beta-x"),
            ("gem", "1.15-x86_64-linux"),
        ),
        *(("maven", "1.2.3.redhat-00001"), ("maven", "1-1"), ("generic", "1.0"), ("github", "v4"), ("", "1.0")),
        *(("apk", "1." * 200 + "1"), ("npm", "١.٢.٣"), ("cargo", "1.0.0\n")),
    ],
)
def test_a_version_that_no_comparator_understands_has_no_key(ecosystem: str, version: str) -> None:
    assert version_key(ecosystem, version) is None


def _numbers(pick: random.Random, least: int, most: int) -> str:
    parts = ["0", "1", "2", "3", "9", "10", "11", "25", "100", "20240101"]
    return ".".join(pick.choice(parts) for _ in range(pick.randint(least, most)))


_ENDS = {
    "apk": (univers.AlpineLinuxVersion, "", 1, 4, ["-r0", "-r3", "-r12", "a-r1", "_rc1-r0", "_p1-r2", "_alpha-r0"]),
    "deb": (
        univers.DebianVersion,
        "",
        1,
        4,
        ["", "~rc1-1", "+dfsg-2", "-1", "-2+deb12u1", "-0ubuntu1", "-1~bpo1", "a"],
    ),
    "rpm": (univers.RpmVersion, "1:", 1, 4, ["", "~rc1-1", "^git1-2", "-1", "-18.el9_2", "-0.1.rc1", "a", "b2-1"]),
    "npm": (
        univers.SemverVersion,
        "",
        3,
        3,
        ["", "-rc.1", "-alpha", "-beta.2", "-beta.11", "-0", "-alpha.beta", "+b1"],
    ),
    "golang": (univers.GolangVersion, "v", 3, 3, ["", "-rc.1", "-0.20200101000000-abcdef123456", "+incompatible"]),
    "pypi": (univers.PypiVersion, "1!", 1, 4, ["", "rc1", "a1", ".post1", ".dev3", "rc1.dev2", ".post1.dev2", "+abc"]),
    "maven": (univers.MavenVersion, "", 1, 4, ["", "-alpha", "-beta-9", "-rc1", "-SNAPSHOT", "rc2", "-M3", "-sp1"]),
    "gem": (univers.RubygemsVersion, "", 1, 4, ["", ".pre", ".rc1", ".beta.2", "-rc.1", ".a", ".0"]),
    "nuget": (univers.NugetVersion, "", 2, 4, ["", "-rc.1", "-Alpha", "-beta.2", "-beta.11"]),
}


@pytest.mark.parametrize("ecosystem", _ENDS)
def test_keys_agree_with_univers_on_two_thousand_pairs(ecosystem: str) -> None:
    compare, prefix, least, most, ends = _ENDS[ecosystem]
    pick = random.Random(ecosystem)
    made = [pick.choice(["", prefix]) if prefix != "v" else "v" for _ in range(300)]
    made = [start + _numbers(pick, least, most) + pick.choice(ends) for start in made]
    for _ in range(2000):
        one, other = pick.choice(made), pick.choice(made)
        left, right = version_key(ecosystem, one), version_key(ecosystem, other)
        assert left is not None
        assert right is not None
        theirs = compare(one), compare(other)
        assert (left < right, left > right) == (theirs[0] < theirs[1], theirs[0] > theirs[1]), (one, other)


@pytest.mark.parametrize(
    ("text", "constraints"),
    [
        ("<3.3.2", [("<", "3.3.2")]),
        (" >= 1.0 , <2 ", [(">=", "1.0"), ("<", "2")]),
        ("3.3.1-r0", [("=", "3.3.1-r0")]),
        ("==1", [("=", "1")]),
        ("!=1", [("!=", "1")]),
        ("vers:apk/<3.3.2-r0", [("<", "3.3.2-r0")]),
        ("vers:deb/>=1%3A2.0|<1%3A3.0", [(">=", "1:2.0"), ("<", "1:3.0")]),
        ("*", []),
    ],
)
def test_constraints_are_read_as_people_type_them(text: str, constraints: list[tuple[str, str]]) -> None:
    assert [(one.operator, one.version) for one in parse_constraint(text).constraints] == constraints


def test_a_vers_range_names_its_ecosystem_and_alpine_is_apk() -> None:
    assert parse_constraint("vers:alpine/<3").ecosystem == "apk"
    assert parse_constraint("<3").ecosystem == ""


@pytest.mark.parametrize(
    "text", ["", "<", "><1", "<1 2", "vers:", "vers:apk", "vers:apk/1|2", "1,2", ",".join(["<1"] * 21)]
)
def test_text_that_is_no_constraint_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ConstraintError, match=r"\.$"):
        parse_constraint(text)


@pytest.mark.parametrize(
    ("ecosystem", "version", "constraint", "answer"),
    [
        ("apk", "3.3.1-r0", "<3.3.2", True),
        ("apk", "3.3.10-r0", "<3.3.2", False),
        ("apk", "1.5-r0", ">=1.0, <2", True),
        ("apk", "2.0-r0", ">=1.0, <2", False),
        ("deb", "1.0-0", "=1.0", True),
        ("deb", "1.0-1", "!=1.0", True),
        ("golang", "(devel)", "<1", None),
        ("golang", "(devel)", "=(devel)", True),
        ("golang", "(devel)", "!=1", True),
        ("generic", "1", "<2", None),
        ("generic", "1", "<2, !=1", False),
        ("apk", "@CURRENT@", "*", True),
    ],
)
def test_a_version_is_in_the_range_or_not_or_nobody_knows(
    ecosystem: str, version: str, constraint: str, answer: bool | None
) -> None:
    assert versions.matches(ecosystem, version, parse_constraint(constraint)) is answer


def key(version: str) -> bytes:
    found = version_key("apk", version)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ("<3.3.2", lambda: KeyRange(high=key("3.3.2"), high_included=False)),
        (">=1.0, <2", lambda: KeyRange(low=key("1.0"), high=key("2"), high_included=False)),
        (">=1.0, >1.0, <=2, <3", lambda: KeyRange(low=key("1.0"), low_included=False, high=key("2"))),
        ("<2, <=2", lambda: KeyRange(high=key("2"), high_included=False)),
        ("=1-r1, !=2", lambda: KeyRange(low=key("1-r1"), high=key("1-r1"), excluded=(key("2"),))),
        ("*", KeyRange),
    ],
)
def test_constraints_become_one_range_of_keys(constraint: str, expected: Callable[[], KeyRange]) -> None:
    assert versions.key_range("apk", parse_constraint(constraint)) == expected()


def test_a_range_that_the_ecosystem_does_not_understand_has_no_keys() -> None:
    assert versions.key_range("generic", parse_constraint("<1")) is None


@pytest.mark.parametrize(
    ("before", "after", "way"),
    [
        ("1.9-r0", "1.10-r0", "up"),
        ("1.10-r0", "1.9-r0", "down"),
        ("1", "@CURRENT@", "unknown"),
        ("1~a", "1~b", "unknown"),
    ],
)
def test_the_direction_of_a_change_is_known_or_said_to_be_unknown(before: str, after: str, way: str) -> None:
    assert versions.direction("apk", before, after) == way


def test_a_constraint_reads_as_it_was_typed() -> None:
    assert str(parse_constraint(">= 1.0,<2")) == ">=1.0, <2"
    assert str(Constraint("<", "3")) == "<3"
