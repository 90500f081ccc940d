"""Evidence that two readers could read in two ways, or that is too large, fails the format check."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgexplorer.oci.evidence import Evidence, Kind
from cgexplorer.verify import material, strict
from cgexplorer.verify.errors import Malformed
from cgexplorer.verify.verdict import State
from tests.fakes.sigstore import SPDX, evidence_of
from tests.verify.world import (
    ALICE,
    CERTIFICATE,
    DIGEST,
    KEY,
    LOG,
    SIGNATURE,
    SIGSTORE,
    Case,
    edited,
    edited_log,
    entry,
    failed,
    noted,
)

GOOD = SIGSTORE.signature(DIGEST, ALICE, timestamp=True)
ATTESTATION = SIGSTORE.attestation(DIGEST, ALICE)
PEM = GOOD.annotations[CERTIFICATE]


def envelope(edit: Callable[[dict[str, Any]], object]) -> Evidence:
    wire = json.loads(ATTESTATION.content)
    edit(wire)
    return msgspec.structs.replace(ATTESTATION, content=json.dumps(wire, separators=(",", ":")).encode())


def loose_bits(text: str) -> str:
    """The same bytes in base64 whose last letter carries bits that nobody reads."""
    body, padding = text.rstrip("="), text.count("=")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    assert padding
    return body[:-1] + alphabet[alphabet.index(body[-1]) + 1] + "=" * padding


def b64_of_length(text: str) -> str:
    """A base64 text with padding, made longer by a space after its JSON when it has none."""
    raw = base64.b64decode(text)
    return base64.b64encode(raw + b" " * (1 if len(raw) % 3 == 0 else 0)).decode()


CLASSIC = {
    "no signature annotation": noted(GOOD, signature=None),
    "empty signature": noted(GOOD, signature=""),
    "signature with line breaks": noted(GOOD, signature=GOOD.annotations[SIGNATURE] + "\n"),
    "signature in the URL alphabet": noted(GOOD, signature="-_" + GOOD.annotations[SIGNATURE][2:]),
    "certificate that is no certificate": noted(
        GOOD, certificate="-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
    ),
    "GHSA-fx35-mq7g-6g98: a public key as certificate": noted(GOOD, certificate=KEY.public_pem),
    "a second certificate": noted(GOOD, certificate=PEM + PEM),
    "text around the certificate": noted(GOOD, certificate="hello\n" + PEM),
    "certificate under another label": noted(GOOD, certificate=PEM.replace("CERTIFICATE", "X509 CERTIFICATE")),
    "log annotation null": noted(GOOD, log="null"),
    "log annotation empty object": noted(GOOD, log="{}"),
    "log annotation that is a bundle": noted(GOOD, log=json.dumps(SIGSTORE.bundle(DIGEST, ALICE))),
    "log annotation with a key twice": noted(GOOD, log='{"Payload": {}, ' + GOOD.annotations[LOG][1:]),
    "log annotation with a key in two spellings": noted(GOOD, log='{"payload": {}, ' + GOOD.annotations[LOG][1:]),
    "log payload with a key in two spellings": noted(
        GOOD, log=GOOD.annotations[LOG].replace('"body"', '"Body": "", "body"')
    ),
    "text after the log annotation": noted(GOOD, log=GOOD.annotations[LOG] + " {}"),
    "log index that is true": noted(
        GOOD, log=json.dumps(json.loads(GOOD.annotations[LOG]) | {"Payload": {"logIndex": True}})
    ),
    "log index beyond 64 bits": edited_log(GOOD, lambda w: w["Payload"].update(logIndex=2**63)),
    "negative integrated time": edited_log(GOOD, lambda w: w["Payload"].update(integratedTime=-1)),
    "log annotation too large": noted(GOOD, log=GOOD.annotations[LOG] + " " * material.MAX_ANNOTATION_BYTES),
    "timestamp that is no object": noted(GOOD, timestamp='"abc"'),
    "envelope that is a list": msgspec.structs.replace(ATTESTATION, content=b"[]"),
    "envelope with a key twice": msgspec.structs.replace(
        ATTESTATION, content=b'{"payload": "", ' + ATTESTATION.content[1:]
    ),
    "envelope with a key in two spellings": envelope(lambda w: w.update(Payload="")),
    "envelope with two signatures": envelope(lambda w: w["signatures"].append(w["signatures"][0])),
    "payload type with a control character": envelope(lambda w: w.update(payloadType="a\0b")),
    "payload type that is half a character": envelope(lambda w: w.update(payloadType="\ud800")),
    "envelope without signature": envelope(lambda w: w["signatures"].clear()),
    "envelope with loose bits in its payload": envelope(
        lambda w: w.update(payload=loose_bits(b64_of_length(w["payload"])))
    ),
}


BUNDLES: dict[str, Callable[[dict[str, Any]], object]] = {
    "unknown field": lambda b: b.update(extra=1),
    "unknown field deep inside": lambda b: entry(b)["inclusionProof"].update(extra=1),
    "snake case": lambda b: b.update(media_type=b["mediaType"]),
    "message signature beside the envelope": lambda b: b.update(messageSignature={"signature": "AAAA"}),
    "neither envelope nor message signature": lambda b: b.pop("dsseEnvelope"),
    "two signatures": lambda b: b["dsseEnvelope"]["signatures"].append(b["dsseEnvelope"]["signatures"][0]),
    "certificate beside a key hint": lambda b: b["verificationMaterial"].update(publicKey={"hint": ""}),
    "no key material": lambda b: b["verificationMaterial"].pop("certificate"),
    "v0.3 with a chain": lambda b: chained(b),
    "v0.1 label on v0.3 content": lambda b: b.update(mediaType="application/vnd.dev.sigstore.bundle+json;version=0.1"),
    "v0.2 label on v0.3 content": lambda b: b.update(mediaType="application/vnd.dev.sigstore.bundle+json;version=0.2"),
    "v0.3 without inclusion proof": lambda b: entry(b).pop("inclusionProof"),
    "v0.3 without checkpoint": lambda b: entry(b)["inclusionProof"].pop("checkpoint"),
    "v0.3 with an empty checkpoint": lambda b: entry(b)["inclusionProof"]["checkpoint"].update(envelope=""),
    "33 log entries": lambda b: b["verificationMaterial"].update(tlogEntries=[entry(b)] * 33),
    "33 timestamps": lambda b: b["verificationMaterial"].update(
        timestampVerificationData={"rfc3161Timestamps": [{"signedTimestamp": "AAAA"}] * 33}
    ),
    "integrated time in words": lambda b: entry(b).update(integratedTime="today"),
    "negative log index": lambda b: entry(b).update(logIndex="-1"),
    "log index beyond 64 bits": lambda b: entry(b).update(logIndex=str(2**63)),
    "empty inclusion promise": lambda b: entry(b).update(inclusionPromise={}),
    "body that is not JSON": lambda b: entry(b).update(canonicalizedBody="AAAA"),
    "loose bits in the signature": lambda b: b["dsseEnvelope"]["signatures"][0].update(sig="AB=="),
}


def chained(wire: dict[str, Any]) -> None:
    proofs = wire["verificationMaterial"]
    proofs["x509CertificateChain"] = {"certificates": [proofs.pop("certificate")]}


@pytest.mark.parametrize("evidence", CLASSIC.values(), ids=CLASSIC)
def test_a_classic_layer_that_reads_in_two_ways_fails_the_format_check(evidence: Evidence) -> None:
    verdict = Case(evidence).ask()
    assert (verdict.state, failed(verdict)) == (State.INVALID, {"format"})


@pytest.mark.parametrize("edit", BUNDLES.values(), ids=BUNDLES)
def test_a_bundle_that_breaks_its_specification_fails_the_format_check(
    edit: Callable[[dict[str, Any]], object],
) -> None:
    verdict = Case(edited(SIGSTORE.bundle(DIGEST, ALICE), edit)).ask()
    assert (verdict.state, failed(verdict)) == (State.INVALID, {"format"})


def test_a_v01_bundle_without_promise_fails_the_format_check() -> None:
    evidence = edited(SIGSTORE.bundle(DIGEST, ALICE, version=1), lambda b: entry(b).pop("inclusionPromise"))
    assert failed(Case(evidence).ask()) == {"format"}


def test_evidence_beyond_the_limit_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(material, "MAX_CONTENT_BYTES", len(GOOD.content) - 1)
    assert failed(Case(GOOD).ask()) == {"format"}


def test_line_breaks_of_windows_in_a_certificate_are_harmless() -> None:
    assert Case(noted(GOOD, certificate=PEM.replace("\n", "\r\n"))).ask().state is State.VERIFIED


@pytest.mark.parametrize("text", ["AB==", "AAA=\n", "AA A", "AAA", "AA==AA==", "====", "A===", "é", 7, None])
def test_loose_base64_is_refused(text: object) -> None:
    with pytest.raises(Malformed):
        strict.base64_bytes(text, "it")


@given(st.binary(max_size=200))
def test_strict_base64_reads_what_everybody_writes(raw: bytes) -> None:
    assert strict.base64_bytes(base64.b64encode(raw).decode(), "it") == raw


@pytest.mark.parametrize(
    "raw", [b'{"a":1,"a":2}', b'{"x":{"a":1,"a":1}}', b"NaN", b"[-Infinity]", b'"\xff"', b"1 2", b"\xef\xbb\xbf1"]
)
def test_loose_json_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        strict.json_value(raw, "it")


# Members as lists of pairs, so that keys may repeat; few letters, so that they do; quotes and escapes everywhere.
_TEXTS = st.text(alphabet='a"\\\u00e9\n', max_size=4)
_TREES = st.recursive(
    _TEXTS | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.lists(st.tuples(_TEXTS, inner), max_size=4).map(tuple),
    max_leaves=12,
)


def _written(tree: Any, write: Callable[[str], str], gap: str) -> str:
    """JSON text of a tree: tuples of pairs are objects."""
    if isinstance(tree, tuple):
        return f"{{{gap}" + f",{gap}".join(f"{write(k)}:{gap}{_written(v, write, gap)}" for k, v in tree) + "}"
    if isinstance(tree, list):
        return "[" + f"{gap},".join(_written(item, write, gap) for item in tree) + f"{gap}]"
    return write(tree) if isinstance(tree, str) else json.dumps(tree)


def _in_numbers(text: str) -> str:
    return '"' + "".join(f"\\u{ord(letter):04x}" for letter in text) + '"'


@settings(max_examples=400, deadline=None)
@given(_TREES, st.sampled_from([json.dumps, lambda text: json.dumps(text, ensure_ascii=False), _in_numbers]),
       st.sampled_from(["", " ", "\n\t"]))  # fmt: skip
def test_a_repeated_key_is_found_however_it_is_written(tree: Any, write: Callable[[str], str], gap: str) -> None:
    raw = _written(tree, write, gap).encode()
    repeated = False

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        repeated = repeated or len(dict(pairs)) != len(pairs)
        return dict(pairs)

    value = json.loads(raw, object_pairs_hook=members)
    if repeated:
        with pytest.raises(Malformed, match="twice"):
            strict.json_value(raw, "it")
    else:
        assert strict.json_value(raw, "it") == value


def test_json_may_be_64_levels_deep_and_no_deeper() -> None:
    assert strict.json_value(b"[" * 64 + b"]" * 64, "it")
    for depth in (65, 100_000):
        with pytest.raises(Malformed, match="deeper"):
            strict.json_value(b"[" * depth + b"]" * depth, "it")


@pytest.mark.parametrize("filling", [b"1", b'"a"', b'"["', b'"\\""', b'{"a":"]}"}', b"[[],{},[{}]]"])
def test_the_depth_of_a_large_document_is_counted_rightly(filling: bytes) -> None:
    many = b",".join([filling] * 200)
    assert strict.json_value(b"[" * 61 + many + b"]" * 61, "it")
    with pytest.raises(Malformed, match="deeper"):
        strict.json_value(b"[" * 65 + many + b"]" * 65, "it")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.dictionaries(st.sampled_from([SIGNATURE, CERTIFICATE, LOG]), st.text(max_size=80)))
def test_garbage_gives_a_verdict_and_never_an_exception(content: bytes, notes: dict[str, str]) -> None:
    for evidence in (
        msgspec.structs.replace(GOOD, content=content, annotations=GOOD.annotations | notes),
        msgspec.structs.replace(ATTESTATION, content=content, annotations=ATTESTATION.annotations | notes),
        evidence_of(content, DIGEST, Kind.SIGNATURE),
    ):
        verdict = Case(evidence).ask()
        assert verdict.state in {State.INVALID, State.UNSUPPORTED}
        assert "parser" not in verdict.reason


@pytest.mark.parametrize("seed", range(8))
def test_a_changed_bit_never_verifies_another_payload(seed: int) -> None:
    """Bundles are malleable (white space, unsigned fields), so the oracle is the payload, not the bundle's bytes."""
    chance = random.Random(seed)
    raw = json.dumps(SIGSTORE.bundle(DIGEST, ALICE, SPDX, v2=seed % 2 == 1, timestamp=True)).encode()
    honest = Case(evidence_of(raw, DIGEST, Kind.ATTESTATION)).ask()
    assert honest.state is State.VERIFIED
    for _ in range(150):
        changed = bytearray(raw)
        changed[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        verdict = Case(evidence_of(bytes(changed), DIGEST, Kind.ATTESTATION)).ask()
        assert "parser" not in verdict.reason
        if verdict.state is State.VERIFIED:
            assert (verdict.payload_sha256, verdict.identity) == (honest.payload_sha256, honest.identity)
