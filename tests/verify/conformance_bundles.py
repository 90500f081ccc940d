"""The bundle itself: each version, each form of content, and what its specification forbids."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.fakes.sigstore import keys
from tests.fakes.sigstore.keys import b64
from tests.verify.conformance import (
    ARTIFACT,
    MALLORY,
    Edit,
    Make,
    Wire,
    accepted,
    attested,
    changed,
    edited,
    entry,
    proof,
    refused,
    resigned,
    signed,
    stamped,
    statement,
)
from tests.verify.world import SIGSTORE

V1, V2, V3 = (f"application/vnd.dev.sigstore.bundle+json;version=0.{number}" for number in (1, 2, 3))
ELSE = b"something else\n"


def material(bundle: Wire) -> Wire:
    return bundle["verificationMaterial"]


def chain(bundle: Wire) -> list[Wire]:
    return material(bundle)["x509CertificateChain"]["certificates"]


def longer(bundle: Wire, *more: x509.Certificate) -> Wire:
    chain(bundle).extend({"rawBytes": b64(item.public_bytes(Encoding.DER))} for item in more)
    return bundle


def without_promise(bundle: Wire) -> Wire:
    return edited(bundle, lambda b: entry(b).pop("inclusionPromise"))


def happy() -> Iterator[tuple[str, Make]]:
    yield "v0.1", lambda: accepted(signed(version=1))
    yield "v0.2", lambda: accepted(signed(version=2))
    yield "v0.3", lambda: accepted(signed())
    yield "v0.3, its type spelled as before", lambda: accepted(edited(signed(), lambda b: b.update(mediaType=V3)))
    yield (
        "v0.1 with a promise only",
        lambda: accepted(edited(signed(version=1), lambda b: entry(b).pop("inclusionProof"))),
    )
    yield (
        "v0.1 with a proof without checkpoint, which is ignored",
        lambda: accepted(edited(signed(version=1), lambda b: proof(b).pop("checkpoint"))),
    )
    yield (
        "v0.2 with the intermediate beside the certificate",
        lambda: accepted(longer(signed(version=2), SIGSTORE.ca.intermediate.certificate)),
    )
    yield "a promise and a timestamp", lambda: accepted(signed(timestamp=True))
    yield "a timestamp instead of a promise", lambda: accepted(without_promise(signed(timestamp=True)))
    yield (
        "no message digest",
        lambda: accepted(edited(signed(), lambda b: b["messageSignature"].pop("messageDigest"))),
    )
    yield "statement v1", lambda: accepted(attested())
    yield "statement v0.1", lambda: accepted(attested(payload=statement()))
    yield "statement, v0.1 bundle", lambda: accepted(attested(version=1))
    yield "statement, v0.2 bundle", lambda: accepted(attested(version=2))
    yield "null for what is not there", lambda: accepted(edited(attested(), nulls))
    yield "numbers that are no text", lambda: accepted(edited(signed(), numbers))


def nulls(bundle: Wire) -> None:
    bundle["messageSignature"] = bundle["dsseEnvelope"]["signatures"][0]["keyid"] = None
    material(bundle).update(publicKey=None, x509CertificateChain=None, timestampVerificationData=None)


def numbers(bundle: Wire) -> None:
    for holder, names in ((entry(bundle), ("logIndex", "integratedTime")), (proof(bundle), ("logIndex", "treeSize"))):
        holder.update({name: int(holder[name]) for name in names})


BROKEN: dict[str, Edit] = {
    "unknown version": lambda b: b.update(mediaType=V1.replace("0.1", "99.9")),
    "no media type": lambda b: b.pop("mediaType"),
    "another media type": lambda b: b.update(mediaType="text/plain"),
    "v0.2 label on a v0.3 bundle": lambda b: b.update(mediaType=V2),
    "unknown field": lambda b: b.update(added=True),
    "unknown field inside": lambda b: proof(b).update(added=True),
    "negative log index": lambda b: entry(b).update(logIndex="-1"),
    "log index that is no number": lambda b: entry(b).update(logIndex="one"),
    "signature that is no base64": lambda b: b["messageSignature"].update(signature="%%%"),
    "signature in the URL alphabet": lambda b: b["messageSignature"].update(signature="_-8="),
    "empty signature": lambda b: b["messageSignature"].update(signature=""),
    "no content": lambda b: b.pop("messageSignature"),
    "two contents": lambda b: b.update(dsseEnvelope=attested()["dsseEnvelope"]),
    "no verification material": lambda b: b.pop("verificationMaterial"),
    "null for the certificate": lambda b: material(b).update(certificate=None),
    "null for an unknown field": lambda b: entry(b).update(added=None),
    "null for a log entry": lambda b: material(b).update(tlogEntries=[None]),
    "no certificate": lambda b: material(b).pop("certificate"),
    "empty certificate": lambda b: material(b).update(certificate={"rawBytes": ""}),
    "certificate that is none": lambda b: material(b).update(certificate={"rawBytes": "AAAA"}),
    "certificate and key": lambda b: material(b).update(publicKey={"hint": "a"}),
    "no inclusion proof": lambda b: entry(b).pop("inclusionProof"),
    "no checkpoint": lambda b: proof(b).pop("checkpoint"),
    "message digest of another kind": lambda b: b["messageSignature"]["messageDigest"].update(algorithm="SHA2_512"),
    "log entry without body": lambda b: entry(b).pop("canonicalizedBody"),
    "log entry whose body is no JSON": lambda b: entry(b).update(canonicalizedBody=b64(b"body")),
    "33 timestamps": lambda b: stamped(b, *(b"%d" % number for number in range(33))),
    "33 log entries": lambda b: material(b).update(tlogEntries=[entry(b)] * 33),
}
BROKEN_V1: dict[str, Edit] = {
    "no promise": lambda b: entry(b).pop("inclusionPromise"),
    "empty chain": lambda b: chain(b).clear(),
    "empty certificate in the chain": lambda b: chain(b)[0].update(rawBytes=""),
    "certificate not in a chain": lambda b: material(b).update(certificate=chain(b)[0]),
    "root certificate in the chain": lambda b: longer(b, *SIGSTORE.ca.chain),
    "chain that ends with no certificate": lambda b: chain(b).append({"rawBytes": "AAAA"}),
}
BROKEN_ENVELOPE: dict[str, Edit] = {
    "no signature": lambda b: b["dsseEnvelope"]["signatures"].clear(),
    "two signatures": lambda b: b["dsseEnvelope"]["signatures"].extend(b["dsseEnvelope"]["signatures"]),
    "empty signature": lambda b: b["dsseEnvelope"]["signatures"][0].update(sig=""),
    "payload that is no base64": lambda b: b["dsseEnvelope"].update(payload="%%%"),
}


def forms() -> Iterator[tuple[str, Make]]:
    for name, raw in (("empty", b""), ("no JSON", b"{"), ("a list", b"[]"), ("text after the JSON", b"{} {}")):
        yield f"file: {name}", lambda r=raw: refused(r, "format")
    twice = b'{"mediaType": "a", '
    yield "a key twice", lambda: refused(twice + b'"mediaType": "b"}', "format")
    for name, edit in BROKEN.items():
        yield name, lambda e=edit: changed(e, "format")
    for name, edit in BROKEN_V1.items():
        yield f"v0.1: {name}", lambda e=edit: changed(e, "format", of=signed(version=1))
    for name, edit in BROKEN_ENVELOPE.items():
        yield f"envelope: {name}", lambda e=edit: changed(e, "format", of=attested())
    yield "v0.2: no proof", lambda: changed(lambda b: entry(b).pop("inclusionProof"), "format", of=signed(version=2))


def contents() -> Iterator[tuple[str, Make]]:
    yield "another file", lambda: refused(signed(), "log-binding", "signature", artifact=ELSE)
    yield "statement about another file", lambda: refused(attested(), "subject", artifact=ELSE)
    digest = b64(hashlib.sha256(ELSE).digest())
    yield (
        "message digest of another file",
        lambda: changed(lambda b: b["messageSignature"]["messageDigest"].update(digest=digest), "signature"),
    )
    forged = b64(keys.sign(MALLORY, ARTIFACT))
    yield (
        "signature by another key",
        lambda: changed(lambda b: b["messageSignature"].update(signature=forged), "log-binding", "signature"),
    )
    yield (
        "envelope's signature by another key",
        lambda: refused(resigned(attested(), MALLORY), "log-binding", "signature"),
    )
    yield (
        "another envelope of the same signer",
        lambda: changed(lambda b: b.update(dsseEnvelope=other_envelope()), "log-binding", of=attested()),
    )
    later = b64(base64.b64decode(attested()["dsseEnvelope"]["payload"]) + b" ")
    yield (
        "payload changed under its signature",
        lambda: changed(lambda b: b["dsseEnvelope"].update(payload=later), "log-binding", "signature", of=attested()),
    )
    yield (
        "payload type changed under its signature",
        lambda: changed(
            lambda b: b["dsseEnvelope"].update(payloadType="text/plain"), "signature", "type", of=attested()
        ),
    )
    for name, claim in (
        ("statement without type", statement().replace(b'"_type"', b'"_kind"')),
        ("statement of a future type", statement(statement_type="https://in-toto.io/Statement/v2")),
        ("statement without predicate type", statement().replace(b'"predicateType"', b'"type"')),
        ("statement without subject", statement().replace(b'"subject"', b'"subjects"')),
        ("payload that is no JSON", b"hello"),
    ):
        yield name, lambda c=claim: refused(attested(payload=c), "type")
    other = statement().replace(b'"sha256"', b'"sha512"')
    yield "statement with a digest of another kind only", lambda: refused(attested(payload=other), "subject")
    first = b'"subject": [{"name": "first", "digest": {"sha256": "' + b"00" * 32 + b'"}}, '
    both = statement().replace(b'"subject": [', first)
    yield "statement about two files, ours the second", lambda: accepted(attested(payload=both))


def other_envelope() -> Wire:
    return attested(payload=statement())["dsseEnvelope"]


GROUPS = {"happy": happy, "forms": forms, "contents": contents}
CASES = {f"{group}: {name}": make for group, cases in GROUPS.items() for name, make in cases()}
