"""What a certificate says beside the signer's name: every extension, by Fulcio's name or by its OID."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import ObjectIdentifier

from cgexplorer.verify import certificate
from tests.fakes.sigstore import GITHUB, WORKFLOW, der
from tests.fakes.sigstore.authority import FULCIO
from tests.verify.world import SIGNED_ON, SIGSTORE

# Source: Fulcio docs/oid-info.md; 24 as Fulcio's pkg/certificate/extensions.go writes it. 7 is a name, no extension.
NAMED = {
    1: "Issuer", 2: "GitHub Workflow Trigger", 3: "GitHub Workflow SHA", 4: "GitHub Workflow Name",
    5: "GitHub Workflow Repository", 6: "GitHub Workflow Ref", 8: "Issuer (V2)", 9: "Build Signer URI",
    10: "Build Signer Digest", 11: "Runner Environment", 12: "Source Repository URI", 13: "Source Repository Digest",
    14: "Source Repository Ref", 15: "Source Repository Identifier", 16: "Source Repository Owner URI",
    17: "Source Repository Owner Identifier", 18: "Build Config URI", 19: "Build Config Digest", 20: "Build Trigger",
    21: "Run Invocation URI", 22: "Source Repository Visibility At Signing", 23: "Deployment Environment",
    24: "Token Subject",
}  # fmt: skip


def shown(oid: str, raw: bytes) -> tuple[str, str]:
    """Name and value of this extension in a certificate that has it."""
    extra = x509.UnrecognizedExtension(ObjectIdentifier(oid), raw)
    described = certificate.describe(
        SIGSTORE.ca.leaf(WORKFLOW, "https://i.example", SIGNED_ON, extra=extra).certificate
    )
    return next((item.name, item.value) for item in described.extensions if item.oid == oid)


@pytest.mark.parametrize("number", [number for number in NAMED if number not in (1, 8)])
def test_every_extension_of_fulcio_has_its_name(number: int) -> None:
    raw = b"a value" if number <= 6 else der.utf8("a value")
    assert shown(f"{FULCIO}{number}", raw) == (NAMED[number], "a value")


def test_both_issuer_extensions_have_their_names() -> None:
    described = certificate.describe(SIGSTORE.ca.leaf(WORKFLOW, GITHUB, SIGNED_ON).certificate)
    assert [item.name for item in described.extensions if item.value == GITHUB] == [NAMED[1], NAMED[8]]


@pytest.mark.parametrize("oid", [f"{FULCIO}25", f"{FULCIO}9.1", f"{FULCIO}1.8", "1.3.6.1.4.1.57264.2", "1.2.3.4"])
def test_an_unknown_extension_is_shown_by_its_oid(oid: str) -> None:
    assert shown(oid, der.utf8("a value")) == (oid, "a value")


def test_an_extension_that_is_no_text_is_shown_by_its_bytes() -> None:
    assert shown("1.2.3.4", b"\x05\x00") == ("1.2.3.4", "0500")
    assert shown(f"{FULCIO}9", der.utf8("a\nb")) == ("Build Signer URI", der.utf8("a\nb").hex())


def test_a_long_unknown_extension_is_cut_and_says_so() -> None:
    _, value = shown("1.2.3.4", b"\x01" * 5000)
    assert value == "01" * 128 + "… (5000 bytes)"
