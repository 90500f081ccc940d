"""Properly signed attacks that only the checks of log entry, binding or timestamp can stop."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from cgexplorer.oci.evidence import Evidence, Kind
from cgexplorer.verify.verdict import CheckName
from tests.fakes.sigstore import evidence_of, keys, pae, rekor
from tests.fakes.sigstore.keys import b64
from tests.verify.world import (
    ALICE,
    DIGEST,
    KEY,
    KEY_POLICY,
    SIGNED_ON,
    SIGSTORE,
    STRANGER,
    Case,
    edited,
    edited_log,
    entry,
    noted,
    policy,
    root,
)

type Attack = tuple[CheckName, str, Callable[[], Case]]

MINUTE = dt.timedelta(minutes=1)
BEFORE = (SIGSTORE.start, SIGNED_ON - dt.timedelta(days=1))


def with_timestamp() -> Evidence:
    """A good signature with a second source of time, so that a faulty log entry is the only fault."""
    return SIGSTORE.signature(DIGEST, ALICE, timestamp=True)


def with_entry(logged: dict[str, Any], **how: Any) -> Evidence:
    return SIGSTORE.signature(DIGEST, ALICE, logged=logged, **how)


def own_entry(**how: Any) -> dict[str, Any]:
    payload = SIGSTORE.simple_signing(DIGEST)
    return SIGSTORE.rekor.append(
        rekor.hashedrekord_001(payload, keys.sign(ALICE.key, payload), ALICE), SIGNED_ON + MINUTE, **how
    )


def envelope_with(entry_of: Callable[[bytes], rekor.Entry], evidence: Evidence | None = None) -> Evidence:
    """A good `.att` layer beside another, truly logged, entry."""
    evidence = evidence or SIGSTORE.attestation(DIGEST, ALICE)
    logged = SIGSTORE.rekor.append(entry_of(evidence.content), SIGNED_ON + MINUTE)
    return noted(evidence, log=rekor.annotation(logged))


def bundle_with(entry_of: Callable[[dict[str, Any]], rekor.Entry]) -> Evidence:
    """A good bundle beside another, truly logged, entry; Rekor v2 logs those that only it knows."""
    bundle = SIGSTORE.bundle(DIGEST, ALICE, timestamp=True)
    made = entry_of(bundle)
    log = SIGSTORE.rekor2 if made["apiVersion"] == "0.0.2" else SIGSTORE.rekor
    bundle["verificationMaterial"]["tlogEntries"] = [log.append(made, SIGNED_ON + MINUTE)]
    return evidence_of(bundle, DIGEST, Kind.SIGNATURE)


def bundle(edit: Callable[[dict[str, Any]], object], **how: Any) -> Case:
    return Case(edited(SIGSTORE.bundle(DIGEST, ALICE, timestamp=True, **how), edit))


def log_entry() -> Iterator[tuple[str, Callable[[], Case]]]:
    yield "not logged at all", lambda: Case(SIGSTORE.signature(DIGEST, ALICE, log=False, timestamp=True))
    yield "a key's signature, not logged", lambda: Case(SIGSTORE.signature(DIGEST, KEY, log=False), KEY_POLICY)
    yield "logged in a stranger's log", lambda: Case(with_entry(stranger_entry(), timestamp=True))
    yield (
        "signed entry timestamp by a stranger",
        lambda: Case(with_entry(own_entry(set_key=keys.ecdsa_key("mallory")), timestamp=True)),
    )
    yield "integrated time moved", lambda: Case(edited_log(with_timestamp(), lambda b: add(b, "integratedTime", 1)))
    yield "log index changed", lambda: Case(edited_log(with_timestamp(), lambda b: add(b, "logIndex", 1)))
    yield "integrated time zero", lambda: Case(edited_log(with_timestamp(), lambda b: put(b, "integratedTime", 0)))
    yield "signed entry timestamp empty", lambda: Case(edited_log(with_timestamp(), no_promise))
    yield "log key not trusted at that time", lambda: Case(with_timestamp(), verifier=root(log_for=BEFORE))
    yield (
        "log key of a proof not trusted at the timestamp",
        lambda: msgspec.structs.replace(bundle(lambda b: None, v2=True), verifier=root(log_for=BEFORE)),
    )
    yield "one entry twice", lambda: bundle(lambda b: b["verificationMaterial"]["tlogEntries"].append(entry(b)))
    yield "proof path changed", lambda: bundle(lambda b: proof(b)["hashes"].__setitem__(0, b64(b"x" * 32)))
    yield "proof path cut", lambda: bundle(lambda b: proof(b)["hashes"].pop())
    yield "proof path too long", lambda: bundle(lambda b: proof(b)["hashes"].append(b64(b"x" * 32)))
    yield "proof with a short hash", lambda: bundle(lambda b: proof(b)["hashes"].__setitem__(0, b64(b"x" * 31)))
    yield "proof of another tree size", lambda: bundle(lambda b: proof(b).update(treeSize=proof(b)["treeSize"] + "0"))
    yield "proof of another place", lambda: bundle(lambda b: proof(b).update(logIndex="0"))
    yield "proof beyond the tree", lambda: bundle(lambda b: proof(b).update(logIndex=proof(b)["treeSize"]))
    yield "proof of another root hash", lambda: bundle(lambda b: proof(b).update(rootHash=b64(b"x" * 32)))
    yield "checkpoint of another size", lambda: bundle(lambda b: checkpoint(b, lambda t: t.replace("\n", "\n1", 1)))
    yield "checkpoint with a garbled signature", lambda: bundle(garble_checkpoint)
    yield "checkpoint without signature", lambda: bundle(lambda b: checkpoint(b, lambda t: t.split("\n\n")[0] + "\n\n"))
    yield "checkpoint without final newline", lambda: bundle(lambda b: checkpoint(b, lambda t: t[:-1]))
    yield "checkpoint with a line of noise", lambda: bundle(lambda b: checkpoint(b, lambda t: t + "noise\n"))
    yield "checkpoint signed by others only", lambda: bundle(lambda b: checkpoint(b, renamed_signature))
    yield "Rekor v2: checkpoint by a stranger", lambda: Case(stranger_checkpoint())
    yield "Rekor v2: outer index disagrees", lambda: bundle(lambda b: entry(b).update(logIndex="77"), v2=True)
    yield "Rekor v2: a promise that nobody gives", lambda: bundle(forged_promise, v2=True)


def stranger_entry() -> dict[str, Any]:
    payload = SIGSTORE.simple_signing(DIGEST)
    logged = rekor.hashedrekord_001(payload, keys.sign(ALICE.key, payload), ALICE)
    return STRANGER.rekor.append(logged, SIGNED_ON + MINUTE)


def add(wire: dict[str, Any], name: str, amount: int) -> None:
    wire["Payload"][name] += amount


def put(wire: dict[str, Any], name: str, value: object) -> None:
    wire["Payload"][name] = value


def no_promise(wire: dict[str, Any]) -> None:
    wire["SignedEntryTimestamp"] = ""


def proof(wire: dict[str, Any]) -> dict[str, Any]:
    return entry(wire)["inclusionProof"]


def checkpoint(wire: dict[str, Any], change: Callable[[str], str]) -> None:
    note = proof(wire)["checkpoint"]
    note["envelope"] = change(note["envelope"])


def garble_checkpoint(wire: dict[str, Any]) -> None:
    checkpoint(wire, lambda text: text[:-12] + ("AAAA" if text[-12:-8] != "AAAA" else "BBBB") + text[-8:])


def renamed_signature(text: str) -> str:
    head, _, line = text.partition("\u2014 ")
    name, signature = line.split()
    return f"{head}\u2014 {name} {'AAAA' + signature[4:]}\n"


def stranger_checkpoint() -> Evidence:
    made = SIGSTORE.bundle(DIGEST, ALICE, v2=True)
    body = json.loads(base64.b64decode(entry(made)["canonicalizedBody"]))
    again = SIGSTORE.rekor2.append(body, SIGNED_ON, note_key=keys.ed25519_key("mallory"))
    made["verificationMaterial"]["tlogEntries"] = [again]
    return evidence_of(made, DIGEST, Kind.SIGNATURE)


def forged_promise(wire: dict[str, Any]) -> None:
    entry(wire)["integratedTime"] = str(int(SIGNED_ON.timestamp()))
    entry(wire)["inclusionPromise"] = {"signedEntryTimestamp": b64(b"x" * 64)}


def binding() -> Iterator[tuple[str, Callable[[], Case]]]:
    payload, garbage = SIGSTORE.simple_signing(DIGEST), b"0" * 70
    good = keys.sign(ALICE.key, payload)
    twin = SIGSTORE.leaf(key=ALICE.key)

    def signature_with(logged: rekor.Entry) -> Callable[[], Case]:
        return lambda: Case(with_entry(SIGSTORE.rekor.append(logged, SIGNED_ON + MINUTE)))

    yield "CVE-2022-23649: entry of another payload", signature_with(rekor.hashedrekord_001(b"other", good, ALICE))
    yield "CVE-2022-36056: entry of another signature", signature_with(rekor.hashedrekord_001(payload, garbage, ALICE))
    yield "CVE-2026-22703: entry of another key", signature_with(rekor.hashedrekord_001(payload, good, SIGSTORE.leaf()))
    yield "entry of another certificate of the same key", signature_with(rekor.hashedrekord_001(payload, good, twin))
    yield "entry of the bare key", signature_with(rekor.hashedrekord_001(payload, good, keys.Signer(ALICE.key)))
    yield "entry of a DSSE envelope", signature_with(rekor.dsse_001(SIGSTORE.attestation(DIGEST, ALICE).content, ALICE))
    strange = rekor.hashedrekord_001(payload, good, ALICE) | {"kind": "rekord"}
    yield "entry of an unknown kind", signature_with(strange)
    broken = {"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {}}
    yield "entry without contents", signature_with(broken)

    other = SIGSTORE.attestation(DIGEST, ALICE, predicate={"other": 1}).content
    for kind in ("dsse_001", "intoto_001", "intoto_002"):
        log = getattr(rekor, kind)
        yield f"{kind} of another envelope", lambda log=log: Case(envelope_with(lambda _: log(other, ALICE)))
        yield f"{kind} of another certificate", lambda log=log: Case(envelope_with(lambda e: log(e, twin)))
    for kind in ("dsse_001", "intoto_001"):
        yield f"{kind}: white space in the stored envelope", lambda kind=kind: Case(spaced(kind))
    for kind in ("dsse_001", "intoto_002"):
        log = getattr(rekor, kind)
        yield (
            f"{kind} of another signature over the same payload",
            lambda log=log: Case(envelope_with(lambda e: log(resigned(e), ALICE))),
        )
    yield "intoto_002 of another payload type", lambda: Case(envelope_with(lambda e: retyped(e)))
    yield "dsse_001 that logs two signatures", lambda: Case(envelope_with(lambda e: doubled(e)))
    yield "hashedrekord for an attestation", lambda: Case(envelope_with(lambda e: hashed_statement(e)))
    yield (
        "bundle: intoto 0.0.1 holds no signature",
        lambda: Case(bundle_with(lambda b: rekor.intoto_001(envelope_of(b), ALICE))),
    )
    yield "bundle: kindVersion lies", lambda: bundle(lambda b: entry(b)["kindVersion"].update(version="0.0.2"))
    yield "bundle: dsse of another payload", lambda: Case(bundle_with(lambda b: rekor.dsse_001(other, ALICE)))
    yield "Rekor v2: entry of another message", lambda: Case(bundle_with(lambda b: v2_entry(b, message=b"other")))
    yield "Rekor v2: entry of another signature", lambda: Case(bundle_with(lambda b: v2_entry(b, signature=garbage)))
    yield "Rekor v2: entry of another certificate", lambda: Case(bundle_with(lambda b: v2_entry(b, signer=twin)))


def spaced(kind: str) -> Evidence:
    evidence = SIGSTORE.attestation(DIGEST, ALICE, kind=kind)
    return msgspec.structs.replace(evidence, content=evidence.content + b" ")


def resigned(envelope: bytes) -> bytes:
    wire = json.loads(envelope)
    wire["signatures"][0]["sig"] = b64(b"0" * 70)
    return json.dumps(wire).encode()


def retyped(envelope: bytes) -> rekor.Entry:
    made = rekor.intoto_002(envelope, ALICE)
    made["spec"]["content"]["envelope"]["payloadType"] = "text/plain"
    return made


def doubled(envelope: bytes) -> rekor.Entry:
    made = rekor.dsse_001(envelope, ALICE)
    made["spec"]["signatures"] *= 2
    return made


def hashed_statement(envelope: bytes) -> rekor.Entry:
    wire = json.loads(envelope)
    payload, signature = (base64.b64decode(text) for text in (wire["payload"], wire["signatures"][0]["sig"]))
    return rekor.hashedrekord_001(payload, signature, ALICE)


def envelope_of(wire: dict[str, Any]) -> bytes:
    return json.dumps(wire["dsseEnvelope"], separators=(",", ":")).encode()


def v2_entry(wire: dict[str, Any], *, message: bytes = b"", signature: bytes = b"", signer: Any = ALICE) -> rekor.Entry:
    payload = base64.b64decode(wire["dsseEnvelope"]["payload"])
    made = base64.b64decode(wire["dsseEnvelope"]["signatures"][0]["sig"])
    return rekor.hashedrekord_002(message or pae("application/vnd.in-toto+json", payload), signature or made, signer)


def timestamps() -> Iterator[tuple[str, Callable[[], Case]]]:
    at = SIGNED_ON + MINUTE

    def token(raw: bytes, evidence: Evidence | None = None) -> Callable[[], Case]:
        text = json.dumps({"SignedRFC3161Timestamp": b64(raw)})
        return lambda: Case(noted(evidence or SIGSTORE.signature(DIGEST, ALICE), timestamp=text))

    signature = keys.sign(ALICE.key, SIGSTORE.simple_signing(DIGEST))
    yield "token over other bytes beside a good log entry", token(SIGSTORE.tsa.token(b"other", at))
    yield "token that is none", token(b"\x30\x03\x02\x01\x00")
    yield "token by a stranger's authority", token(STRANGER.tsa.token(signature, at))
    yield "token signed by a stranger's key", token(SIGSTORE.tsa.token(signature, at, by=STRANGER.tsa.leaf))
    yield "authority not trusted at that time", lambda: Case(with_timestamp(), verifier=root(tsa_for=BEFORE))
    yield (
        "no authority in the trust root, and a log without a clock",
        lambda: Case(
            evidence_of(SIGSTORE.bundle(DIGEST, ALICE, v2=True), DIGEST, Kind.SIGNATURE), verifier=root(tsa=False)
        ),
    )
    yield "the same token twice", lambda: bundle(twice)
    attestation = SIGSTORE.attestation(DIGEST, ALICE)
    payload = base64.b64decode(json.loads(attestation.content)["payload"])
    yield (
        "token over the payload of an attestation, neither its envelope nor its signature",
        token(SIGSTORE.tsa.token(payload, at), attestation),
    )
    yield (
        "only a log's time where the policy requires a timestamp",
        lambda: Case(SIGSTORE.signature(DIGEST, ALICE), policy(require_timestamp=True)),
    )
    yield (
        "the same in a bundle, by a key",
        lambda: Case(
            evidence_of(SIGSTORE.bundle(DIGEST, KEY), DIGEST, Kind.SIGNATURE),
            msgspec.structs.replace(KEY_POLICY, require_timestamp=True),
        ),
    )
    yield (
        "neither log nor timestamp where the policy requires the latter",
        lambda: Case(
            SIGSTORE.signature(DIGEST, KEY, log=False),
            msgspec.structs.replace(KEY_POLICY, require_log=False, require_timestamp=True),
        ),
    )
    yield (
        "GHSA-hhfg-fwrw-87w7: integrated time without signed entry timestamp",
        lambda: Case(edited(SIGSTORE.bundle(DIGEST, ALICE), lambda b: entry(b).pop("inclusionPromise"))),
    )
    yield (
        "Rekor v2: integrated time is not authenticated",
        lambda: Case(edited(SIGSTORE.bundle(DIGEST, ALICE, v2=True), outer_time_only)),
    )


def twice(wire: dict[str, Any]) -> None:
    tokens = wire["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    tokens.append(tokens[0])


def outer_time_only(wire: dict[str, Any]) -> None:
    del wire["verificationMaterial"]["timestampVerificationData"]
    entry(wire)["integratedTime"] = str(int(SIGNED_ON.timestamp()))


ATTACKS: list[Attack] = [
    *((CheckName.LOG_ENTRY, name, make) for name, make in log_entry()),
    *((CheckName.LOG_BINDING, name, make) for name, make in binding()),
    *((CheckName.TIMESTAMP, name, make) for name, make in timestamps()),
]
