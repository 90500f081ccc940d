"""What `make fuzz` has found in the verifier, each as small as it can be made."""

from __future__ import annotations

import base64
import json
import struct

import pytest

from cgexplorer.verify import certificate, material, trust_root
from cgexplorer.verify.errors import Fault, Malformed, TrustRootError
from cgexplorer.verify.verdict import State
from tests.verify.world import ALICE, DIGEST, SIGNED_ON, SIGSTORE, Case, edited, failed

HALF_A_CHARACTER = "\ud800"
EC_PUBLIC_KEY, UNKNOWN_KEY = bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d0209")


def test_half_a_character_in_a_bundle_fails_the_format_check() -> None:
    evidence = edited(SIGSTORE.bundle(DIGEST, ALICE), lambda b: b.update(verificationMaterial=HALF_A_CHARACTER))
    verdict = Case(evidence).ask()
    assert (verdict.state, failed(verdict)) == (State.INVALID, {"format"})
    assert "parser" not in verdict.reason


def test_half_a_character_in_a_log_entry_fails_the_binding() -> None:
    bundle = SIGSTORE.bundle(DIGEST, ALICE)
    listed = bundle["verificationMaterial"]["tlogEntries"][0]
    body = json.loads(base64.b64decode(listed["canonicalizedBody"]))
    body["spec"] = {"envelopeHash": HALF_A_CHARACTER}
    bundle["verificationMaterial"]["tlogEntries"] = [SIGSTORE.rekor.append(body, SIGNED_ON)]
    verdict = Case(edited(bundle, lambda _: None)).ask()
    assert "log-binding" in failed(verdict)
    assert "parser" not in verdict.reason


def test_a_certificate_whose_subject_cannot_be_read_is_malformed() -> None:
    der = SIGSTORE.tsa.leaf.certificate.public_bytes(certificate.Encoding.DER)
    with pytest.raises(Malformed, match="is not X"):
        material.read_certificate(der.replace(b"\x0c\x08fake tsa", b"\x02\x08fake tsa"))


def test_a_ct_log_that_promises_in_a_year_without_calendar_fails_the_check() -> None:
    milliseconds = struct.pack("!Q", int(SIGNED_ON.timestamp() * 1000))
    der = ALICE.certificate_der.replace(milliseconds, struct.pack("!Q", 2**62))
    root = trust_root.load(SIGSTORE.trusted_root())
    with pytest.raises(Fault, match="no calendar"):
        certificate.check_sct(material.read_certificate(der), root.certificate_authorities[0], root)


def test_a_root_whose_ca_has_a_key_of_an_unknown_kind_is_refused() -> None:
    wire = json.loads(SIGSTORE.trusted_root())
    issuer = wire["certificateAuthorities"][0]["certChain"]["certificates"][1]
    der = base64.b64decode(issuer["rawBytes"])
    issuer["rawBytes"] = base64.b64encode(der.replace(EC_PUBLIC_KEY, UNKNOWN_KEY)).decode()
    with pytest.raises(TrustRootError, match="not issued by the next one"):
        trust_root.load(json.dumps(wire).encode())


def test_half_a_character_in_a_trusted_root_is_refused() -> None:
    with pytest.raises(TrustRootError, match="cannot be read"):
        trust_root.load(json.dumps(json.loads(SIGSTORE.trusted_root()) | {"tlogs": HALF_A_CHARACTER}).encode())
