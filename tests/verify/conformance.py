"""Questions in the protocol of the public sigstore-conformance suite, asked of the command line.

The suite's own files are not part of this project. The cases are written from the specifications (Sigstore client
specification, protobuf-specs, C2SP tlog-checkpoint, RFC 3161, RFC 6962) with the throwaway Sigstore.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

from cgexplorer.oci import digest as digests
from tests.fakes.sigstore import GITHUB, INTOTO, SPDX, WORKFLOW, Signer, keys, pae, rekor
from tests.fakes.sigstore.keys import PrivateKey, b64, sign
from tests.fakes.sigstore.rekor import TransparencyLog
from tests.verify.world import ALICE, SIGNED_ON, SIGSTORE

type Wire = dict[str, Any]
type Edit = Callable[[Wire], object]
type Mode = Literal["file", "digest"]
type Make = Callable[[], Case]

ARTIFACT = b"signed by many, believed by few\n"
DIGEST = digests.of(ARTIFACT)
ROOT = SIGSTORE.trusted_root()
SIGNER = ("--certificate-identity", WORKFLOW, "--certificate-oidc-issuer", GITHUB)
MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)
AT = SIGNED_ON + MINUTE
MALLORY = keys.ecdsa_key("mallory")
VERIFIED, NOTHING, USAGE, COULD_NOT_CHECK = 0, 1, 2, 3


class Case(msgspec.Struct, frozen=True):
    """What lies in the folder, and what must be answered. `fails` names each check that must fail, and no other."""

    bundle: Wire | bytes
    fails: frozenset[str] = frozenset()
    artifact: bytes = ARTIFACT
    root: bytes | None = ROOT
    key: str = ""
    signer: tuple[str, ...] = SIGNER
    exit_code: int | None = None  # when it is not told by `fails`
    by_digest: frozenset[str] | None = None  # when only the bytes of the file could tell

    def expected(self, mode: Mode) -> tuple[int, frozenset[str]]:
        fails = self.by_digest if mode == "digest" and self.by_digest is not None else self.fails
        return (NOTHING if fails else VERIFIED) if self.exit_code is None else self.exit_code, fails

    def arguments(self, folder: Path, mode: Mode) -> list[str]:
        """The command line as the suite writes it, with its files in this folder."""
        raw = self.bundle if isinstance(self.bundle, bytes) else json.dumps(self.bundle).encode()
        (folder / "bundle.sigstore.json").write_bytes(raw)
        (folder / "artifact").write_bytes(self.artifact)
        command = ["verify-bundle", "--bundle", str(folder / "bundle.sigstore.json")]
        if self.key:
            (folder / "key.pub").write_text(self.key)
            command += ["--key", str(folder / "key.pub")]
        command += self.signer
        if self.root is not None:
            (folder / "trusted_root.json").write_bytes(self.root)
            command += ["--trusted-root", str(folder / "trusted_root.json")]
        return [*command, str(folder / "artifact") if mode == "file" else digests.of(self.artifact)]


def accepted(bundle: Wire, **how: Any) -> Case:
    return Case(bundle, **how)


def refused(bundle: Wire | bytes, *checks: str, **how: Any) -> Case:
    return Case(bundle, frozenset(checks), **how)


def managed(owner: Signer, bundle: Wire, *checks: str, **how: Any) -> Case:
    """Asked with this owner's public key instead of an identity."""
    return Case(bundle, frozenset(checks), **({"key": owner.public_pem, "signer": ()} | how))


def signed(signer: Signer = ALICE, **how: Any) -> Wire:
    """A bundle over the artifact's bytes."""
    return SIGSTORE.bundle(DIGEST, signer, **({"artifact": ARTIFACT} | how))


def attested(signer: Signer = ALICE, **how: Any) -> Wire:
    """A bundle over a statement about the artifact."""
    return SIGSTORE.bundle(DIGEST, signer, SPDX, **how)


def edited(bundle: Wire, edit: Edit) -> Wire:
    edit(bundle)
    return bundle


def changed(edit: Edit, *checks: str, of: Wire | None = None, **how: Any) -> Case:
    """Refused by these checks after an edit of a good bundle."""
    return refused(edited(signed() if of is None else of, edit), *checks, **how)


def entry(bundle: Wire) -> Wire:
    return bundle["verificationMaterial"]["tlogEntries"][0]


def proof(bundle: Wire) -> Wire:
    return entry(bundle)["inclusionProof"]


def tokens(bundle: Wire) -> list[Wire]:
    return bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]


def logged(bundle: Wire, made: rekor.Entry, *, log: TransparencyLog | None = None, at: dt.datetime = AT) -> Wire:
    """The bundle beside another entry, truly logged."""
    log = log or (SIGSTORE.rekor2 if "V002" in str(made["spec"]) else SIGSTORE.rekor)
    bundle["verificationMaterial"]["tlogEntries"] = [log.append(made, at)]
    return bundle


def stamped(bundle: Wire, *made: bytes) -> Wire:
    """The bundle with these RFC 3161 tokens."""
    rows = [{"signedTimestamp": b64(token)} for token in made]
    bundle["verificationMaterial"]["timestampVerificationData"] = {"rfc3161Timestamps": rows}
    return bundle


def signature_of(bundle: Wire) -> bytes:
    if "messageSignature" in bundle:
        return base64.b64decode(bundle["messageSignature"]["signature"])
    return base64.b64decode(bundle["dsseEnvelope"]["signatures"][0]["sig"])


def envelope_of(bundle: Wire) -> bytes:
    return json.dumps(bundle["dsseEnvelope"], separators=(",", ":")).encode()


def statement(**how: str) -> bytes:
    return SIGSTORE.statement(DIGEST, **how)


def resigned(bundle: Wire, key: keys.PrivateKey) -> Wire:
    """The envelope with a signature by another key."""
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"])
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = b64(sign(key, pae(INTOTO, payload)))
    return bundle


def of_envelope(make: Callable[[bytes, bytes, Signer], rekor.Entry], bundle: Wire, signer: Signer = ALICE) -> Wire:
    """With its envelope logged as any bytes are: by a hash of the pre-authentication encoding."""
    message = pae(INTOTO, base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    return logged(bundle, make(message, signature_of(bundle), signer))


def flipped(text: str) -> str:
    """The same base64 with one bit other, in the middle."""
    raw = bytearray(base64.b64decode(text))
    raw[len(raw) // 2] ^= 1
    return b64(bytes(raw))


def note(bundle: Wire, edit: Callable[[list[str]], object]) -> Wire:
    """With other lines in its checkpoint's text, signed again by the log itself."""
    text = checkpoint(bundle).partition("\n\n")[0].split("\n")
    edit(text)
    return with_note(bundle, "\n".join(text) + "\n", [log_line])


def with_note(bundle: Wire, text: str, lines: list[Callable[[str, TransparencyLog], str]]) -> Wire:
    log = SIGSTORE.rekor if "inclusionPromise" in entry(bundle) else SIGSTORE.rekor2
    proof(bundle)["checkpoint"]["envelope"] = f"{text}\n" + "".join(line(text, log) for line in lines)
    return bundle


def with_lines(bundle: Wire, *lines: Callable[[str, TransparencyLog], str]) -> Wire:
    """With other signature lines under its checkpoint."""
    return with_note(bundle, checkpoint(bundle).partition("\n\n")[0] + "\n", list(lines))


def checkpoint(bundle: Wire) -> str:
    return proof(bundle)["checkpoint"]["envelope"]


def log_line(text: str, log: TransparencyLog) -> str:
    return _line(log.host, log.log_id[:4], sign(log.key, text.encode()))


def signature_line(name: str, hint: bytes, key: PrivateKey) -> Callable[[str, TransparencyLog], str]:
    """Of a witness, or of somebody who only calls himself so."""
    return lambda text, log: _line(name or log.host, hint or log.log_id[:4], sign(key, text.encode()))


WITNESS = signature_line("witness.example", b"wit1", keys.ed25519_key("witness"))


def _line(name: str, hint: bytes, signature: bytes) -> str:
    return f"\u2014 {name} {b64(hint + signature)}\n"


def root(edit: Edit = lambda wire: None, **how: Any) -> bytes:
    """Our trusted root after an edit; `how` as `FakeSigstore.trusted_root`."""
    wire = json.loads(SIGSTORE.trusted_root(**how))
    edit(wire)
    return json.dumps(wire).encode()
