from __future__ import annotations

import datetime as dt
import hashlib
import importlib.resources
import json
from collections.abc import Callable
from typing import Any

import pytest
import sigstore
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from cgexplorer.verify import trust_root
from cgexplorer.verify.errors import TrustRootError
from cgexplorer.verify.trust_root import Period
from cgexplorer.verify.verdict import State
from cgexplorer.verify.verifier import Verifier
from tests.fakes.sigstore import make_ca
from tests.verify.world import ALICE, DIGEST, KEY, KEY_POLICY, SIGSTORE, STRANGER, Case, failed, policy

Edit = Callable[[dict[str, Any]], object]


def edited(edit: Edit) -> bytes:
    wire = json.loads(SIGSTORE.trusted_root())
    edit(wire)
    return json.dumps(wire).encode()


def test_the_public_root_is_the_one_that_the_pinned_package_ships() -> None:
    """A new sigstore wheel must be looked at: its version, the file's place and its hash are all pinned."""
    assert sigstore.__version__ == "4.5.1"
    raw = importlib.resources.files("sigstore").joinpath(*trust_root.PUBLIC_GOOD_FILE.split("/")).read_bytes()
    assert hashlib.sha256(raw).hexdigest() == trust_root.PUBLIC_GOOD_SHA256
    assert trust_root.public_good().sha256 == trust_root.PUBLIC_GOOD_SHA256
    assert trust_root.staging().sha256 == trust_root.STAGING_SHA256


def test_another_shipped_root_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust_root, "PUBLIC_GOOD_SHA256", "0" * 64)
    with pytest.raises(TrustRootError, match="Install the pinned requirements"):
        trust_root.public_good.__wrapped__()


def test_a_root_is_named_by_the_hash_of_its_bytes() -> None:
    raw = SIGSTORE.trusted_root()
    root = trust_root.load(raw, "mine")
    assert (root.name, root.sha256) == ("mine", hashlib.sha256(raw).hexdigest())
    assert [log.name for log in root.logs.values()] == ["https://rekor.fake.example", "https://log2.fake.example"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not strict JSON"),
        (b"\xff", "not UTF-8"),
        (b"[]", "not a JSON object"),
        (b"{}", "mediaType"),
        (b'{"mediaType": "text/plain"}', "not a Sigstore trusted root"),
        (b'{"mediaType": 1, "mediaType": 2}', "twice"),
        (b"[" * 100_000, "nested deeper"),
    ],
    ids=["empty", "bytes", "list", "object", "other", "twice", "deep"],
)
def test_what_is_no_trusted_root_is_refused_by_name(raw: bytes, reason: str) -> None:
    with pytest.raises(TrustRootError, match=reason):
        trust_root.load(raw)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (
            lambda r: [r.pop(part) for part in ("certificateAuthorities", "tlogs", "timestampAuthorities")],
            "names no authority and no log",
        ),
        (lambda r: r["tlogs"].append(r["tlogs"][0]), "two logs have the same id"),
        (lambda r: r["tlogs"][0]["publicKey"].update(rawBytes="AAAA"), "not a public key"),
        (lambda r: r["tlogs"][0]["publicKey"].update(rawBytes="A"), "not strict base64"),
        (lambda r: r["tlogs"][0]["logId"].update(keyId=""), "too short"),
        (lambda r: r["tlogs"][0]["publicKey"]["validFor"].update(start="2020-01-01T00:00:00"), "no time zone"),
        (lambda r: r["tlogs"][0]["publicKey"]["validFor"].update(start="yesterday"), "RFC3339"),
        (lambda r: r["certificateAuthorities"][0]["certChain"].update(certificates=[]), "has no certificate"),
        (lambda r: r["certificateAuthorities"][0]["certChain"]["certificates"][0].update(rawBytes="AAAA"), "not X.509"),
    ],
)
def test_a_root_that_could_verify_nothing_is_refused(edit: Edit, reason: str) -> None:
    with pytest.raises(TrustRootError, match=reason):
        trust_root.load(edited(edit))


@pytest.mark.parametrize(
    ("part", "needed"),
    [("ctlogs", "sct"), ("tlogs", "log-entry"), ("certificateAuthorities", "certificate-chain")],
)
def test_a_private_instance_may_lack_a_part_and_only_what_needs_it_fails(part: str, needed: str) -> None:
    lacking = Verifier(trust_root.load(edited(lambda r: r.update({part: []}))))
    assert failed(Case(SIGSTORE.signature(DIGEST, ALICE, timestamp=True), verifier=lacking).ask()) >= {needed}
    evidence = SIGSTORE.signature(DIGEST, KEY if needed == "certificate-chain" else ALICE, timestamp=True)
    waived = KEY_POLICY if needed == "certificate-chain" else policy(require_log=False, require_sct=False)
    assert Case(evidence, waived, verifier=lacking).ask().state is State.VERIFIED


@pytest.mark.parametrize(
    ("chain", "reason"),
    [
        ((SIGSTORE.ca.intermediate.certificate, STRANGER.ca.root.certificate), "not issued by the next one"),
        ((SIGSTORE.ca.root.certificate, SIGSTORE.ca.intermediate.certificate), "not issued by the next one"),
        ((ALICE.certificate, *SIGSTORE.ca.chain), "does not say that it is a CA"),
        ((SIGSTORE.tsa.leaf.certificate, SIGSTORE.tsa.root.certificate), "does not say that it is a CA"),
    ],
    ids=["stranger", "upside down", "leaf", "timestamp authority"],
)
def test_a_ca_whose_chain_does_not_hold_is_refused(chain: tuple[x509.Certificate, ...], reason: str) -> None:
    with pytest.raises(TrustRootError, match=reason):
        trust_root.load(SIGSTORE.trusted_root(chain=chain))


def test_a_log_with_a_key_of_a_future_kind_does_not_spoil_the_root() -> None:
    root = trust_root.load(edited(lambda r: r["tlogs"][1]["publicKey"].update(keyDetails="ML_DSA_65")))
    assert [log.key is None for log in root.logs.values()] == [False, True]


def test_both_ends_of_a_period_are_inside() -> None:
    start, end = dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
    second = dt.timedelta(seconds=1)
    covered = [Period(start, end).covers(moment) for moment in (start - second, start, end, end + second)]
    assert covered == [False, True, True, False]
    assert Period(None, None).covers(start)


def test_a_ca_for_other_usages_or_with_name_constraints_is_refused() -> None:
    ca, usage = SIGSTORE.ca, ExtendedKeyUsageOID.TIME_STAMPING
    other = make_ca("other", ca.start, ca.end, serial=5, seed="other", issuer=ca.root, usage=usage)
    limits = x509.NameConstraints([x509.DNSName("example.test")], None)
    narrow = make_ca("narrow", ca.start, ca.end, serial=6, seed="narrow", issuer=ca.root, extra=limits)
    for issuer, reason in ((other, "not issue certificates for code signing"), (narrow, "name constraints")):
        with pytest.raises(TrustRootError, match=reason):
            trust_root.load(SIGSTORE.trusted_root(chain=(issuer.certificate, ca.root.certificate)))
