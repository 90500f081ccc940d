"""Log entries: what they must bind, and how they prove that they are logged."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.fakes.sigstore import INTOTO, Signer, keys, pae, rekor
from tests.fakes.sigstore.keys import b64
from tests.verify.conformance import (
    ARTIFACT,
    AT,
    DAY,
    DIGEST,
    MALLORY,
    MINUTE,
    WITNESS,
    Case,
    Edit,
    Make,
    Wire,
    accepted,
    attested,
    changed,
    checkpoint,
    edited,
    entry,
    envelope_of,
    flipped,
    log_line,
    logged,
    note,
    of_envelope,
    proof,
    refused,
    resigned,
    signature_line,
    signature_of,
    signed,
    stamped,
    statement,
    with_lines,
)
from tests.verify.world import ALICE, SIGNED_ON, SIGSTORE, STRANGER

BOB = SIGSTORE.leaf()
ELSE = b"something else\n"


def hashed(artifact: bytes = ARTIFACT, signature: bytes | None = None, signer: Signer = ALICE) -> rekor.Entry:
    return rekor.hashedrekord_001(artifact, signature or keys.sign(ALICE.key, artifact), signer)


def listing(*entries: Wire) -> Edit:
    return lambda b: b["verificationMaterial"].update(tlogEntries=list(entries))


def other_envelope(bundle: Wire) -> Wire:
    return edited(bundle, lambda b: b.update(dsseEnvelope=attested(payload=statement())["dsseEnvelope"]))


def signed_once_more(bundle: Wire) -> Wire:
    """ECDSA with a random number: another good signature of the same key over the same envelope."""
    message = pae(INTOTO, base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    assert isinstance(ALICE.key, ec.EllipticCurvePrivateKey)
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = b64(ALICE.key.sign(message, ec.ECDSA(hashes.SHA256())))
    return bundle


def as_bytes() -> Wire:
    return of_envelope(rekor.hashedrekord_001, attested())


def as_intoto(kind: Callable[[bytes, Signer], rekor.Entry] = rekor.intoto_002, **how: bytes) -> Wire:
    return logged(attested(), kind(envelope_of(attested(**how)), ALICE))


def entries() -> Iterator[tuple[str, Make]]:
    made = keys.sign(BOB.key, ARTIFACT)
    for name, other in (
        ("entry for another file", hashed(ELSE)),
        ("entry with another signature", hashed(signature=made)),
        ("entry with another certificate", hashed(signer=BOB)),
        ("entry with another certificate and signature", hashed(signature=made, signer=BOB)),
        ("entry with the key in place of the certificate", hashed(signer=Signer(ALICE.key))),
        ("entry for an envelope where a file was signed", rekor.dsse_001(envelope_of(attested()), ALICE)),
    ):
        yield name, lambda o=other: refused(logged(signed(), o), "log-binding")
    yield (
        "CVE-2022-36056: the entry of another signing of the same file",
        lambda: changed(listing(entry(signed(BOB))), "log-binding"),
    )
    wrong = {"kind": "dsse", "version": "0.0.1"}
    yield (
        "entry of another kind than told",
        lambda: changed(lambda b: entry(b).update(kindVersion=wrong), "log-binding"),
    )
    yield "no entry", lambda: changed(listing(), "log-entry", of=signed(timestamp=True))
    yield (
        "one entry twice",
        lambda: changed(lambda b: listing(entry(b), entry(b))(b), "log-entry", of=signed(timestamp=True)),
    )
    yield (
        "two entries for the same",
        lambda: accepted(edited(signed(), lambda b: listing(entry(b), entry(signed()))(b))),
    )
    yield (
        "a second entry for another file",
        lambda: changed(lambda b: listing(entry(b), entry(logged(signed(), hashed(ELSE))))(b), "log-binding"),
    )
    yield "envelope logged as bytes", lambda: accepted(as_bytes())
    yield "envelope logged as bytes, another envelope", lambda: refused(other_envelope(as_bytes()), "log-binding")
    yield "envelope logged as bytes, signed once more", lambda: refused(signed_once_more(as_bytes()), "log-binding")
    yield (
        "envelope logged as bytes, signature by another key",
        lambda: refused(resigned(as_bytes(), MALLORY), "log-binding", "signature"),
    )
    payload = base64.b64decode(attested()["dsseEnvelope"]["payload"])
    only_payload = hashed(payload, signature_of(attested()))
    yield "only the payload logged as bytes", lambda: refused(logged(attested(), only_payload), "log-binding")
    yield "envelope, signed once more", lambda: refused(signed_once_more(attested()), "log-binding")
    yield "intoto 0.0.2", lambda: accepted(as_intoto())
    yield "intoto 0.0.2, another envelope", lambda: refused(as_intoto(payload=statement()), "log-binding")
    yield "intoto 0.0.2, signed once more", lambda: refused(signed_once_more(as_intoto()), "log-binding")
    yield "intoto 0.0.1, which binds nothing here", lambda: refused(as_intoto(rekor.intoto_001), "log-binding")
    yield (
        "intoto 0.0.2 without proof",
        lambda: changed(lambda b: entry(b).pop("inclusionProof"), "format", of=as_intoto()),
    )


AMISS: dict[str, Edit] = {
    "a bit of a proof hash": lambda b: proof(b)["hashes"].__setitem__(0, flipped(proof(b)["hashes"][0])),
    "one proof hash more": lambda b: proof(b)["hashes"].append(b64(b"\0" * 32)),
    "one proof hash less": lambda b: proof(b)["hashes"].pop(),
    "a short proof hash": lambda b: proof(b)["hashes"].__setitem__(0, b64(b"\0" * 31)),
    "no proof hashes": lambda b: proof(b)["hashes"].clear(),
    "another root hash": lambda b: proof(b).update(rootHash=flipped(proof(b)["rootHash"])),
    "another tree size": lambda b: proof(b).update(treeSize=str(int(proof(b)["treeSize"]) + 1)),
    "another index": lambda b: proof(b).update(logIndex="0"),
    "index beyond the tree": lambda b: proof(b).update(logIndex=proof(b)["treeSize"]),
    "proof of another entry": lambda b: entry(b).update(inclusionProof=proof(signed(BOB))),
    "checkpoint of another tree size": lambda b: proof(b).update(checkpoint=proof(signed())["checkpoint"]),
    "checkpoint signed by somebody": lambda b: with_lines(b, signature_line("", b"", MALLORY)),
    "checkpoint with the hint of another key": lambda b: with_lines(b, signature_line("", b"else", SIGSTORE.rekor.key)),
    "checkpoint by a witness only": lambda b: with_lines(b, WITNESS),
    "checkpoint without signature": lambda b: with_lines(b),
    "checkpoint signed rightly, then wrongly": lambda b: with_lines(b, log_line, signature_line("", b"", MALLORY)),
    "checkpoint without origin": lambda b: note(b, lambda lines: lines.pop(0)),
    "checkpoint without size": lambda b: note(b, lambda lines: lines.pop(1)),
    "checkpoint without root hash": lambda b: note(b, lambda lines: lines.pop(2)),
    "checkpoint whose size is no number": lambda b: note(b, lambda lines: lines.__setitem__(1, "+7")),
    "checkpoint changed after signing": lambda b: proof(b)["checkpoint"].update(envelope="x" + checkpoint(b)),
    "checkpoint that is no note": lambda b: proof(b)["checkpoint"].update(envelope="hello"),
    "promise that is none": lambda b: entry(b)["inclusionPromise"].update(signedEntryTimestamp="AAAA"),
    "promise of another entry": lambda b: entry(b).update(inclusionPromise=entry(signed())["inclusionPromise"]),
    "promise by somebody": lambda b: listing(
        SIGSTORE.rekor.append(hashed(signature=signature_of(b)), AT, set_key=MALLORY)
    )(b),
    "checkpoint by somebody": lambda b: listing(
        SIGSTORE.rekor.append(hashed(signature=signature_of(b)), AT, note_key=MALLORY)
    )(b),
    "integrated time moved": lambda b: entry(b).update(integratedTime=str(int(entry(b)["integratedTime"]) + 1)),
    "integrated time zero": lambda b: entry(b).update(integratedTime="0"),
    "log index moved": lambda b: entry(b).update(logIndex="12345"),
    "log unknown": lambda b: entry(b)["logId"].update(keyId=b64(b"\1" * 32)),
}


def proofs() -> Iterator[tuple[str, Make]]:
    """Beside a timestamp that says when it was signed, so that nothing but the log entry is amiss."""
    for name, edit in AMISS.items():
        yield name, lambda e=edit: changed(e, "log-entry", of=signed(timestamp=True))
    foreign = STRANGER.bundle(DIGEST, STRANGER.leaf(), artifact=ARTIFACT)
    yield "wrong instance", lambda: refused(foreign, "log-entry")
    yield "no promise, no timestamp", lambda: changed(lambda b: entry(b).pop("inclusionPromise"), "timestamp")


def moments() -> Iterator[tuple[str, Make]]:
    yield "logged in the certificate's first second", lambda: accepted(signed(at=SIGNED_ON))
    yield "logged in the certificate's last second", lambda: accepted(signed(at=SIGNED_ON + 10 * MINUTE))
    for name, at in (
        ("before", SIGNED_ON - MINUTE),
        ("after", SIGNED_ON + 11 * MINUTE),
        ("long after", SIGNED_ON + DAY),
    ):
        for what, make in (("file", signed), ("statement", attested)):
            yield (
                f"{what} logged {name} the certificate's time",
                lambda m=make, t=at: refused(m(at=t), "certificate-chain"),
            )
    yield "a timestamp after the certificate's time", lambda: late(signed())
    yield "a statement's timestamp after the certificate's time", lambda: late(attested())
    yield "a timestamp after the certificate's time, intoto 0.0.2", lambda: late(as_intoto())


def late(bundle: Wire) -> Case:
    """Logged in time, and timestamped too late."""
    return refused(stamped(bundle, SIGSTORE.tsa.token(signature_of(bundle), SIGNED_ON + DAY)), "certificate-chain")


GROUPS = {"entries": entries, "proofs": proofs, "moments": moments}
CASES = {f"{group}: {name}": make for group, cases in GROUPS.items() for name, make in cases()}
