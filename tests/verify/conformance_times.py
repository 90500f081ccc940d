"""When it was signed and whom the root trusts then: Rekor v2, RFC 3161 timestamps, trusted roots."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.fakes.sigstore import Signer, keys, make_ca, rekor
from tests.fakes.sigstore.keys import b64
from tests.fakes.sigstore.tsa import TimestampAuthority
from tests.verify.conformance import (
    ARTIFACT,
    AT,
    COULD_NOT_CHECK,
    DAY,
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
    edited,
    entry,
    flipped,
    log_line,
    logged,
    note,
    proof,
    refused,
    resigned,
    root,
    signature_line,
    signature_of,
    signed,
    stamped,
    statement,
    tokens,
    with_lines,
)
from tests.verify.world import ALICE, SIGNED_ON, SIGSTORE, STRANGER

CA, TSA = SIGSTORE.ca, SIGSTORE.tsa
DECADE = 3650 * DAY
OLD_TSA = TimestampAuthority("old", SIGNED_ON - DECADE, SIGNED_ON + DAY)  # its certificates have expired since
GONE_TSA = TimestampAuthority("gone", SIGNED_ON - DECADE, SIGNED_ON - DAY)
OTHER_TSA = TimestampAuthority("other", SIGNED_ON - DECADE, SIGNED_ON + DECADE)
WITNESS_2 = signature_line("other-witness.example", b"wit2", keys.ed25519_key("other witness"))
SECOND_OF_LOG = signature_line("", b"pqc1", keys.ed25519_key("second key of the log"))
PARTS = ("tlogs", "ctlogs", "certificateAuthorities", "timestampAuthorities")


def chain(*certificates: x509.Certificate) -> Wire:
    return {"certificates": [{"rawBytes": b64(item.public_bytes(Encoding.DER))} for item in certificates]}


def authority(of: TimestampAuthority, start: dt.datetime = SIGNED_ON - DECADE, end: dt.datetime | None = None) -> Wire:
    valid_for = {"start": start.isoformat()} | ({"end": end.isoformat()} if end else {})
    certificates = chain(of.leaf.certificate, of.root.certificate)
    return {"uri": "https://tsa.example", "certChain": certificates, "validFor": valid_for}


def with_tsa(*authorities: Wire) -> bytes:
    return root(lambda wire: wire.update(timestampAuthorities=list(authorities)))


def v2() -> Wire:
    return signed(v2=True)


def timed(*made: bytes) -> Wire:
    """A Rekor v2 bundle with these tokens; it has no other time."""
    return stamped(v2(), *made)


def token(of: TimestampAuthority = TSA, at: dt.datetime = AT, *, embed: bool = True) -> bytes:
    return of.token(signature_of(v2()), at, embed=embed)


AMISS: dict[str, Edit] = {
    "checkpoint by witnesses only": lambda b: with_lines(b, WITNESS, WITNESS_2),
    "checkpoint without signature": lambda b: with_lines(b),
    "checkpoint with the hint of another log": lambda b: with_lines(b, another_hint),
    "checkpoint signed by somebody": lambda b: with_lines(b, signature_line("", b"", MALLORY)),
    "checkpoint without origin": lambda b: note(b, lambda lines: lines.pop(0)),
    "checkpoint without size": lambda b: note(b, lambda lines: lines.pop(1)),
    "checkpoint without root hash": lambda b: note(b, lambda lines: lines.pop(2)),
    "a bit of a proof hash": lambda b: proof(b)["hashes"].__setitem__(0, flipped(proof(b)["hashes"][0])),
    "another root hash": lambda b: proof(b).update(rootHash=flipped(proof(b)["rootHash"])),
    "outer index of another entry": lambda b: entry(b).update(logIndex="0"),
    "a promise, which Rekor v2 never makes": lambda b: entry(b).update(promised()),
}


another_hint = signature_line("", b"else", SIGSTORE.rekor2.key)


def promised() -> Wire:
    return {name: entry(signed())[name] for name in ("inclusionPromise", "integratedTime")}


def rekor_2() -> Iterator[tuple[str, Make]]:
    yield "file", lambda: accepted(v2())
    yield "envelope", lambda: accepted(attested(v2=True))
    yield "envelope as its own kind", lambda: accepted(attested(v2=True, kind_v2="dsse_002"))
    for name, lines in (
        ("log signature and a witness", (log_line, WITNESS)),
        ("log signature and two witnesses", (log_line, WITNESS, WITNESS_2)),
        ("two signatures of the log", (log_line, SECOND_OF_LOG)),
        ("two signatures of the log and a witness", (log_line, SECOND_OF_LOG, WITNESS)),
        ("a witness before the log", (WITNESS, log_line)),
    ):
        yield name, lambda n=lines: accepted(with_lines(v2(), *n))
    yield "extension lines in the checkpoint", lambda: accepted(note(v2(), lambda lines: lines.append("extension")))
    yield "without outer index", lambda: accepted(edited(v2(), lambda b: entry(b).pop("logIndex")))
    for name, edit in AMISS.items():
        yield name, lambda e=edit: changed(e, "log-entry", of=v2())
    yield "no proof", lambda: changed(lambda b: entry(b).pop("inclusionProof"), "format", of=v2())
    no_tokens: Edit = lambda b: b["verificationMaterial"].pop("timestampVerificationData")  # noqa: E731
    yield "no timestamp", lambda: changed(no_tokens, "timestamp", of=v2())
    yield "no timestamp, empty list", lambda: refused(timed(), "timestamp")
    yield (
        "envelope's signature by another key",
        lambda: refused(resigned(attested(v2=True), MALLORY), "log-binding", "timestamp", "signature"),
    )
    other = attested(payload=statement())["dsseEnvelope"]
    yield (
        "another envelope",
        lambda: changed(lambda b: b.update(dsseEnvelope=other), "log-binding", "timestamp", of=attested(v2=True)),
    )
    for name, artifact, signer in (
        ("another file", b"else", ALICE),
        ("another certificate", ARTIFACT, SIGSTORE.leaf()),
        ("a key in place of the certificate", ARTIFACT, Signer(ALICE.key)),
    ):
        made = rekor.hashedrekord_002(artifact, signature_of(v2()), signer)
        yield f"entry for {name}", lambda m=made: refused(logged(v2(), m), "log-binding")


def timestamps() -> Iterator[tuple[str, Make]]:
    both = with_tsa(authority(TSA), authority(OTHER_TSA))
    yield "with its certificate", lambda: accepted(timed(token()))
    yield "without its certificate", lambda: accepted(timed(token(embed=False)))
    yield (
        "by a certificate that has expired since",
        lambda: accepted(timed(token(OLD_TSA)), root=with_tsa(authority(OLD_TSA))),
    )
    yield "by the second authority", lambda: accepted(timed(token(OTHER_TSA)), root=both)
    yield "by both authorities", lambda: accepted(timed(token(), token(OTHER_TSA)), root=both)
    yield (
        "at the end of the authority's time",
        lambda: accepted(timed(token()), root=with_tsa(authority(TSA, end=AT))),
    )
    yield (
        "at the start of the authority's time",
        lambda: accepted(timed(token()), root=with_tsa(authority(TSA, start=AT))),
    )
    yield "in the certificate's first second", lambda: accepted(timed(token(at=SIGNED_ON)))
    yield "in the certificate's last second", lambda: accepted(timed(token(at=SIGNED_ON + 10 * MINUTE)))
    for name, moment in (("before", SIGNED_ON - MINUTE), ("after", SIGNED_ON + 11 * MINUTE)):
        yield f"{name} the certificate's time", lambda m=moment: refused(timed(token(at=m)), "certificate-chain")
    too_late = token(at=SIGNED_ON + DAY)
    yield "one in time and one too late", lambda: refused(timed(token(), too_late), "certificate-chain")
    for name, made in (
        ("over another signature", TSA.token(b"else", AT)),
        ("over the file, not its signature", TSA.token(ARTIFACT, AT)),
        ("unknown authority with its certificate", token(OTHER_TSA)),
        ("unknown authority without its certificate", token(OTHER_TSA, embed=False)),
        ("no token", b"token"),
    ):
        yield name, lambda m=made: refused(timed(m), "timestamp")
        yield f"{name}, beside a good one", lambda m=made: refused(timed(token(), m), "timestamp")
        yield f"{name}, beside a promise", lambda m=made: refused(stamped(signed(), m), "timestamp")
    yield "one twice", lambda: refused(timed(token(), token()), "timestamp")
    yield "a bit of the token", lambda: changed(bit_of_token, "timestamp", of=v2())
    for name, of in (
        ("after the authority's time", authority(TSA, end=SIGNED_ON)),
        ("before the authority's time", authority(TSA, start=AT + MINUTE)),
    ):
        yield name, lambda o=of: refused(timed(token()), "timestamp", root=with_tsa(o))
        in_time = with_tsa(of, authority(OTHER_TSA))
        yield f"{name}, in that of another", lambda r=in_time: refused(timed(token()), "timestamp", root=r)
    yield (
        "by a certificate that had expired",
        lambda: refused(timed(token(GONE_TSA)), "timestamp", root=with_tsa(authority(GONE_TSA))),
    )
    nobody = with_tsa(authority(TSA, end=SIGNED_ON), authority(OTHER_TSA) | {"certChain": chain()})
    yield "in the time of nobody", lambda: Case(timed(token()), root=nobody, exit_code=COULD_NOT_CHECK)
    yield "no authority in the root", lambda: refused(timed(token()), "timestamp", root=root(tsa=False))


def bit_of_token(bundle: Wire) -> None:
    tokens(bundle)[0].update(signedTimestamp=flipped(tokens(bundle)[0]["signedTimestamp"]))


def roots() -> Iterator[tuple[str, Make]]:
    before = SIGSTORE.start
    yield "no timestamp authority, and none needed", lambda: accepted(signed(), root=root(tsa=False))
    for name, how in (
        ("log trusted to the second of logging", {"log_for": (before, AT)}),
        ("log trusted from the second of logging", {"log_for": (AT, None)}),
        ("CA trusted to the second of logging", {"ca_for": (before, AT)}),
        ("CA trusted from the second of logging", {"ca_for": (AT, None)}),
        ("CT log trusted to the second of its promise", {"ct_for": (before, SIGNED_ON)}),
    ):
        yield name, lambda h=how: accepted(signed(), root=root(**h))
    for check, part in (("log-entry", "log_for"), ("certificate-chain", "ca_for"), ("sct", "ct_for")):
        for name, period in (("until the day before", (before, SIGNED_ON - DAY)), ("later", (SIGNED_ON + DAY, None))):
            raw = root(**{part: period})
            yield f"{check}: trusted {name}", lambda c=check, r=raw: refused(signed(timestamp=True), c, root=r)
    decoy = make_ca("fake intermediate", CA.start, CA.end, serial=9, seed="decoy", issuer=CA.root)
    valid_for = {"start": before.isoformat()}
    alike = {
        "uri": "https://d.example",
        "certChain": chain(decoy.certificate, CA.root.certificate),
        "validFor": valid_for,
    }
    others = json.loads(STRANGER.trusted_root())
    later_id = {"checkpointKeyId": {"keyId": b64(b"chkp" + b"\0" * 28)}}
    its_id = root(lambda w: w["tlogs"][1].update(later_id))
    for name, raw in (
        ("two CAs of one name, the decoy first", root(lambda w: w["certificateAuthorities"].insert(0, alike))),
        ("two CAs of one name, the decoy last", root(lambda w: w["certificateAuthorities"].append(alike))),
        ("two instances, ours first", root(lambda w: [w[part].extend(others[part]) for part in PARTS])),
        ("two instances, ours last", root(lambda w: [w.update({part: others[part] + w[part]}) for part in PARTS])),
        ("a log of a future kind beside", root(lambda w: w["tlogs"][1]["publicKey"].update(keyDetails="ML_DSA_65"))),
        (
            "parts without a period",
            root(
                lambda w: [w["tlogs"][0]["publicKey"].pop("validFor"), w["certificateAuthorities"][0].pop("validFor")]
            ),
        ),
        ("another log has an id for its checkpoints", its_id),
    ):
        yield name, lambda r=raw: accepted(signed(), root=r)
    under_id = signature_line("", b"chkp", SIGSTORE.rekor2.key)
    yield "checkpoints under an id of their own", lambda: accepted(with_lines(v2(), under_id), root=its_id)
    yield "checkpoints under the log's id, which has another", lambda: refused(v2(), "log-entry", root=its_id)
    only_decoy = root(lambda w: w.update(certificateAuthorities=[alike]))
    yield "the decoy alone", lambda: refused(signed(), "certificate-chain", root=only_decoy)
    no_authority = root(lambda w: w.update(certificateAuthorities=[]))
    yield "no CA", lambda: refused(signed(), "certificate-chain", root=no_authority)
    yield "another instance's root", lambda: refused(signed(), "log-entry", root=STRANGER.trusted_root())
    for name, raw in (
        ("a log's time without a start", root(lambda w: w["tlogs"][0]["publicKey"].update(validFor={}))),
        ("a CA's time without a start", root(lambda w: w["certificateAuthorities"][0]["validFor"].pop("start"))),
        ("a TSA's time without a start", root(lambda w: w["timestampAuthorities"][0]["validFor"].pop("start"))),
        (
            "no CA and no log",
            root(lambda w: [w.pop(part) for part in ("certificateAuthorities", "tlogs", "timestampAuthorities")]),
        ),
        ("no JSON", b"root"),
    ):
        yield name, lambda r=raw: Case(signed(), root=r, exit_code=COULD_NOT_CHECK)


GROUPS = {"rekor_2": rekor_2, "timestamps": timestamps, "roots": roots}
CASES = {f"{group}: {name}": make for group, cases in GROUPS.items() for name, make in cases()}
