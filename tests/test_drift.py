"""What two looks show when they are held against each other. Pure: no database."""

from __future__ import annotations

import datetime as dt

import pytest

from cgexplorer import compare, drift
from cgexplorer.compare import ComparedPackage, Side
from cgexplorer.drift import SIGNATURE, Finding, Held, Kind, Look, Signed

SPDX = "https://spdx.dev/Document"
ALICE, BOB = "alice@example.com", "bob@example.com"
NOW = dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC)


def signed(number: int = 1, topic: str = SIGNATURE, state: str = "verified", identity: str = ALICE, **more) -> Signed:
    facts = {"issuer": "https://issuer.example", "payload_sha256": f"payload {number}", "policy": "acme v1"}
    return Signed(number, topic, state, identity, **{**facts, "signed_at": NOW, "root": "aaaa", **more})


def look(*some: Signed, state: str = "verified") -> Look:
    return Look(state, some)


def told(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.kind, finding.before, finding.after) for finding in findings]


def test_two_looks_that_say_the_same_show_nothing() -> None:
    same = look(signed(), signed(2, SPDX))
    assert drift.verdicts(same, same) == drift.evidence(same, same) == drift.builds(same, same) == []


@pytest.mark.parametrize(
    ("changed", "kind", "note"),
    [
        ({"policy": "acme v2"}, Kind.VERDICT_BY_POLICY, "Policy: acme v1, then acme v2."),
        ({"policy": ""}, Kind.VERDICT_BY_POLICY, "Policy: acme v1, then none."),
        ({"root": "bbbb"}, Kind.VERDICT_BY_TRUST_ROOT, "Trust root: aaaa, then bbbb."),
        ({}, Kind.VERDICT, ""),
    ],
)
def test_another_verdict_says_what_brought_it_about(changed: dict[str, str], kind: Kind, note: str) -> None:
    now = look(signed(state="signer-not-allowed", **changed), state="signer-not-allowed")
    (found,) = drift.verdicts(look(signed()), now)
    assert (found.kind, found.note) == (kind, note)
    assert (found.before, found.after, found.topics) == ("verified", "signer-not-allowed", (SIGNATURE,))


def test_an_attestation_has_its_own_verdict() -> None:
    (found,) = drift.verdicts(look(signed(), signed(2, SPDX)), look(signed(), signed(2, SPDX, "invalid", root="bbbb")))
    assert (found.kind, found.topics) == (Kind.VERDICT_BY_TRUST_ROOT, (SPDX,))


def test_one_cause_for_signature_and_attestation_is_one_finding() -> None:
    before = look(signed(), signed(2, SPDX))
    now = look(*(signed(n, t, "invalid", root="bbbb") for n, t in ((1, SIGNATURE), (2, SPDX))), state="invalid")
    (found,) = drift.verdicts(before, now)
    assert found.topics == (SIGNATURE, SPDX)


def test_what_could_not_be_checked_is_no_other_verdict() -> None:
    could_not = look(signed(state="could-not-check"), signed(2, SPDX, "could-not-check"), state="could-not-check")
    assert drift.verdicts(look(signed(), signed(2, SPDX)), could_not) == []


def test_what_was_attached_and_taken_away_is_told_by_its_kind() -> None:
    bare, full = look(state="unsigned"), look(signed(), signed(2, SPDX))
    assert told(drift.evidence(bare, full)) == [
        (Kind.SIGNATURE_ADDED, "none", f"signed by {ALICE}"),
        (Kind.ATTESTATION_ADDED, "none", f"signed by {ALICE}"),
    ]
    assert told(drift.evidence(full, bare)) == [
        (Kind.SIGNATURE_MISSING, f"signed by {ALICE}", "none"),
        (Kind.ATTESTATION_MISSING, f"signed by {ALICE}", "none"),
    ]


def test_an_attestation_that_nobody_validly_signed_is_added_as_what_it_is() -> None:
    (found,) = drift.evidence(look(), look(signed(2, SPDX, "invalid", identity="")))
    assert (found.kind, found.after) == (Kind.ATTESTATION_ADDED, "invalid")


def test_an_attestation_that_can_no_longer_be_read_is_not_missing() -> None:
    assert drift.evidence(look(signed(2, SPDX)), look(signed(2, "", "invalid", identity=""))) == []


def test_a_new_claim_of_the_same_type_is_attested_again_and_a_new_envelope_around_it_is_not() -> None:
    before = look(signed(2, SPDX))
    later = NOW + dt.timedelta(hours=1)
    again = look(signed(2, SPDX), signed(3, SPDX, signed_at=later))
    assert [finding.kind for finding in drift.evidence(before, again)] == [Kind.REATTESTED]
    assert drift.evidence(before, look(signed(2, SPDX), signed(3, SPDX, payload_sha256="payload 2"))) == []


def test_another_signer_is_told_once_for_all_that_he_signed() -> None:
    before, now = (look(signed(1, identity=who), signed(2, SPDX, identity=who)) for who in (ALICE, BOB))
    (found,) = drift.builds(before, now)
    assert (found.kind, found.before, found.after, found.topics) == (
        Kind.IDENTITY_CHANGED, ALICE, BOB, (SIGNATURE, SPDX),
    )  # fmt: skip


def test_another_issuer_of_the_same_identity_is_told() -> None:
    (found,) = drift.builds(look(signed()), look(signed(issuer="https://evil.example")))
    assert (found.kind, found.after) == (Kind.ISSUER_CHANGED, "https://evil.example")


def test_who_forged_a_signature_is_no_signer() -> None:
    assert drift.builds(look(signed()), look(signed(state="invalid", identity=BOB))) == []


def test_the_same_change_on_two_platforms_is_one_finding() -> None:
    finding = drift.builds(look(signed()), look(state="verified"))
    (found,) = drift.of_platforms({"linux/amd64": finding, "linux/arm64": finding})
    assert found.platforms == ("linux/amd64", "linux/arm64")


def test_platforms_come_and_go() -> None:
    found = drift.platforms(["linux/amd64", "linux/s390x"], ["linux/amd64", "linux/arm64"])
    assert [(one.kind, one.platforms) for one in found] == [
        (Kind.PLATFORM_ADDED, ("linux/arm64",)),
        (Kind.PLATFORM_REMOVED, ("linux/s390x",)),
    ]


def test_downgrades_and_new_licences_are_listed_and_upgrades_are_not() -> None:
    def side(curl: str, openssl: str, license: str) -> Side:
        some = [("curl", curl, "MIT"), ("openssl", openssl, license)]
        packages = tuple(ComparedPackage("apk", "wolfi", name, version, license=of) for name, version, of in some)
        return Side(reference="", digest="", packages=packages)

    different = compare.compare(side("8.1-r0", "3.3.2-r0", "Apache-2.0"), side("8.2-r0", "3.3.1-r10", "GPL-3.0-only"))
    older, licences = drift.packages(different.packages, different.licenses)
    assert (older.kind, older.before, older.after) == (
        Kind.PACKAGE_DOWNGRADED, "openssl 3.3.2-r0", "openssl 3.3.1-r10",
    )  # fmt: skip
    assert (licences.kind, licences.after) == (Kind.LICENSE_ADDED, "GPL-3.0-only")


def test_a_long_list_is_cut_in_the_value_and_counted() -> None:
    many = compare.LicenseDifferences(added=tuple(f"LicenseRef-{n:04}" for n in range(2000)), removed=())
    none = compare.PackageDifferences((), (), (), (), (), ())
    (found,) = drift.packages(none, many)
    assert found.after.endswith("and 1,988 more")
    assert len(found.changes) == drift.MAX_CHANGES


AMD, ARM = "linux/amd64", "linux/arm64"


def test_the_answer_of_a_search_is_told_where_it_differs_and_places_that_hold_the_same_together() -> None:
    before = [Held("ssl 1", AMD, ("1.0", "latest")), Held("ssl 1", ARM, ("1.0", "latest"))]
    now = [
        Held("crypto 2", AMD, ("latest", "new")),
        Held("ssl 1", AMD, ("1.0",)),
        Held("ssl 1", ARM, ("1.0", "latest")),
    ]
    (found,) = drift.answers(before, now)
    assert (found.before, found.after) == ("ssl 1 (latest; linux/amd64)", "crypto 2 (latest, new; linux/amd64)")
    assert found.platforms == (AMD,)
    assert [(one.name, one.before, one.after) for one in found.changes] == [
        ("latest linux/amd64", "ssl 1", "crypto 2"),
        ("new linux/amd64", "none", "crypto 2"),
    ]
    (gone,) = drift.answers(before, [])
    assert (gone.before, gone.after) == ("ssl 1 (1.0, latest; linux/amd64, linux/arm64)", "none")


def test_the_same_answer_in_another_order_is_none() -> None:
    some = [Held("ssl 1", AMD, ("1.0", "latest")), Held("ssl 1", ARM, ("latest",))]
    assert drift.answers(some, [Held("ssl 1", AMD, ("latest", "1.0")), some[1]][::-1]) == []


def test_a_digest_is_short_in_the_value_and_whole_in_the_change() -> None:
    digest = "sha256:" + "a" * 64
    (found,) = drift.answers([], [Held("ssl 1", "", (digest,))])
    assert (found.after, found.changes[0].name) == ("ssl 1 (sha256:aaaaaaaa…aaaaaa)", digest)


def test_a_search_that_finds_ten_thousand_places_is_told_in_few_words() -> None:
    many = tuple(f"build-{number:05}" for number in range(10_000))
    (found,) = drift.answers([], [Held(f"ssl {number}", AMD, many) for number in range(20)])
    assert len(found.after) < 500
    assert len(found.changes) == drift.MAX_CHANGES
