"""Good evidence, altered afterwards by somebody without any key: parts dropped, changed, or taken from another signer.

Each change makes an exhibit of its own: the same image in a new repository with only the altered evidence beside it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from scripts.interop.exhibits import Act, Exhibit, Form, Registry
from scripts.interop.images import Repository
from scripts.interop.signing import Signed
from scripts.sample_layout import CONFIG, MANIFEST

# Names of exhibits with two signers, and both with a timestamp: the first signer's evidence is altered, with parts
# of the second one's.
BASES = ("donor-sign-c2", "donor-attest-c2", "donor-sign-c3", "donor-attest-c3")
SIGNATURE, CERTIFICATE, LOG, TIMESTAMP = (
    "dev.cosignproject.cosign/signature",
    "dev.sigstore.cosign/certificate",
    "dev.sigstore.cosign/bundle",
    "dev.sigstore.cosign/rfc3161timestamp",
)


@dataclass
class Layer:
    """A stored piece of evidence, as it may be changed."""

    content: bytes
    media_type: str
    annotations: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.content)


type Change = Callable[[Layer, Layer], Layer]


def table() -> tuple[Exhibit, ...]:
    """The exhibits to be signed before anything can be altered."""
    made = []
    for name in BASES:
        tool, form = (2, Form.CLASSIC) if name.endswith("c2") else (3, Form.BUNDLE)
        predicate = "slsaprovenance1" if "attest" in name else ""
        acts = tuple(Act(tool, form, signer, "rekor1+tsa", predicate) for signer in ("alice", "mallory"))
        made.append(Exhibit(name, acts, Registry.REFERRERS))
    return tuple(made)


def alter_all(signed: list[Signed]) -> list[Signed]:
    """Every change applied to every base that was signed."""
    return [
        _stored(base, name, change)
        for base in signed
        if base.exhibit.name in BASES
        for name, change in _changes(base.exhibit.acts[0]).items()
    ]


def _changes(act: Act) -> dict[str, Change]:
    if act.form is Form.BUNDLE:
        return BUNDLE
    return CLASSIC | (ENVELOPE if act.predicate else SIGNED)


def _stored(base: Signed, name: str, change: Change) -> Signed:
    exhibit = replace(
        base.exhibit, name=f"{base.exhibit.name.replace('donor', 'altered')}-{name}", acts=base.exhibit.acts[:1]
    )
    source, target = Repository(base.registry, base.exhibit.name), Repository(base.registry, exhibit.name)
    first, second = _evidence(source, base)
    altered = change(first, second)
    if name == "moved":
        digest, _ = target.push_image()
    else:
        digest = _copy_image(source, target, base.digest)
    _push(target, digest, altered, exhibit.acts[0])
    source.close(), target.close()
    return Signed(exhibit, base.registry, digest)


def _copy_image(source: Repository, target: Repository, digest: str) -> str:
    found = source.manifest(digest)
    assert found is not None
    for part in (json.loads(found[0])["config"], *json.loads(found[0])["layers"]):
        target.push_blob(source.blob(part["digest"]), part["mediaType"])
    return target.push_manifest(*found, "1")


def _evidence(source: Repository, base: Signed) -> tuple[Layer, Layer]:
    """The first and the second signer's, in the order in which they signed."""
    act = base.exhibit.acts[0]
    if act.form is Form.CLASSIC:
        found = source.manifest(_tag(base.digest, act))
        assert found is not None
        layers = json.loads(found[0])["layers"]
    else:
        layers = []
        for one in source.referrers(base.digest):
            found = source.manifest(one["digest"])
            assert found is not None
            layers += json.loads(found[0])["layers"]
    read = [Layer(source.blob(one["digest"]), one["mediaType"], one.get("annotations", {})) for one in layers]
    first, second = sorted(read, key=lambda one: b"alice@" not in _certificate(one))
    return first, second


def _certificate(layer: Layer) -> bytes:
    if CERTIFICATE in layer.annotations:
        lines = [line for line in layer.annotations[CERTIFICATE].splitlines() if "-----" not in line]
        return base64.b64decode("".join(lines))
    return base64.b64decode(layer.json["verificationMaterial"]["certificate"]["rawBytes"])


def _tag(digest: str, act: Act) -> str:
    return digest.replace(":", "-") + (".att" if act.predicate else ".sig")


def _push(target: Repository, digest: str, layer: Layer, act: Act) -> None:
    stored = target.push_blob(layer.content, layer.media_type)
    body: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": target.push_blob(b"{}", CONFIG),
        "layers": [{**stored, "annotations": layer.annotations}],
    }
    tag = _tag(digest, act)
    if act.form is Form.BUNDLE:
        image = target.manifest(digest)
        assert image is not None
        subject = {"mediaType": MANIFEST, "digest": digest, "size": len(image[0])}
        body |= {"subject": subject, "artifactType": layer.media_type}
        tag = ""
    target.push_manifest(json.dumps(body).encode(), MANIFEST, tag)


def _note(name: str, edit: Callable[[str, str], str | None]) -> Change:
    """Change one annotation: `edit` gets its value and the other signer's, None drops it."""

    def change(layer: Layer, other: Layer) -> Layer:
        notes = dict(layer.annotations)
        value = edit(notes.pop(name, ""), other.annotations.get(name, ""))
        return replace(layer, annotations=notes if value is None else {**notes, name: value})

    return change


def _body(edit: Callable[[Any, Any], None]) -> Change:
    """Change the bundle's JSON: `edit` gets it and the other signer's."""

    def change(layer: Layer, other: Layer) -> Layer:
        body = layer.json
        edit(body, other.json)
        return replace(layer, content=json.dumps(body).encode())

    return change


def _log(edit: Callable[[Any], None]) -> Change:
    def rewritten(value: str, other: str) -> str:
        body = json.loads(value)
        edit(body)
        return json.dumps(body)

    return _note(LOG, rewritten)


def _flip(text: str) -> str:
    """Another letter somewhere in base64."""
    middle = len(text) // 2
    return text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]


def _put(path: str, value: Callable[[Any, Any], Any]) -> Change:
    """Set one member of the bundle by its dotted path; `value` gets the old one and the other signer's."""

    def edit(body: Any, other: Any) -> None:
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in parents:
            body, other = body[part], other[part]
        body[last] = (
            value(body.get(last), other.get(last)) if isinstance(body, dict) else value(body[last], other[last])
        )

    return _body(edit)


def _drop(path: str) -> Change:
    def edit(body: Any, other: Any) -> None:
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in parents:
            body = body[part]
        del body[last]

    return _body(edit)


def _theirs(_: Any, other: Any) -> Any:
    return other


def _reworded(payload: str) -> str:
    return base64.b64encode(base64.b64decode(payload).replace(b"https://", b"http:///", 1)).decode()


def _same(layer: Layer, other: Layer) -> Layer:
    return layer


CLASSIC: dict[str, Change] = {
    "unchanged": _same,
    "moved": _same,
    "content-of-another": lambda layer, other: replace(layer, content=other.content),
    "certificate-of-another": _note(CERTIFICATE, _theirs),
    "no-certificate": _note(CERTIFICATE, lambda *_: None),
    "no-log": _note(LOG, lambda *_: None),
    "log-of-another": _note(LOG, _theirs),
    "log-promise-flipped": _log(lambda body: body.update(SignedEntryTimestamp=_flip(body["SignedEntryTimestamp"]))),
    "log-time": _log(lambda body: body["Payload"].update(integratedTime=body["Payload"]["integratedTime"] + 1)),
    "log-index": _log(lambda body: body["Payload"].update(logIndex=body["Payload"]["logIndex"] + 1)),
    "log-id": _log(lambda body: body["Payload"].update(logID="00" * 32)),
    "log-body": _log(lambda body: body["Payload"].update(body=_flip(body["Payload"]["body"]))),
    "no-timestamp": _note(TIMESTAMP, lambda *_: None),
    "timestamp-of-another": _note(TIMESTAMP, _theirs),
    "chain-dropped": _note("dev.sigstore.cosign/chain", lambda *_: None),
}
SIGNED: dict[str, Change] = {
    "payload": lambda layer, _: replace(layer, content=layer.content.replace(b'"optional"', b'"optionol"')),
    "signature-flipped": _note(SIGNATURE, lambda value, _: _flip(value)),
    "signature-empty": _note(SIGNATURE, lambda *_: ""),
    "signature-of-another": _note(SIGNATURE, _theirs),
}
ENVELOPE: dict[str, Change] = {
    "payload": _put("payload", lambda value, _: _reworded(value)),
    "payload-type": _put("payloadType", lambda *_: "application/json"),
    "signature-flipped": _put("signatures.0.sig", lambda value, _: _flip(value)),
    "signature-of-another": _put("signatures", _theirs),
    "signature-twice": _put("signatures", lambda value, _: value * 2),
    "no-signature": _put("signatures", lambda *_: []),
    "white-space": lambda layer, _: replace(layer, content=layer.content + b"\n"),
    "key-id": _put("signatures.0.keyid", lambda *_: "a key"),
}
_ENTRY = "verificationMaterial.tlogEntries.0"
_TIMES = "verificationMaterial.timestampVerificationData"
BUNDLE: dict[str, Change] = {
    "unchanged": _same,
    "moved": _same,
    "payload": _put("dsseEnvelope.payload", lambda value, _: _reworded(value)),
    "payload-of-another": _put("dsseEnvelope.payload", _theirs),
    "payload-type": _put("dsseEnvelope.payloadType", lambda *_: "application/json"),
    "signature-flipped": _put("dsseEnvelope.signatures.0.sig", lambda value, _: _flip(value)),
    "signature-of-another": _put("dsseEnvelope.signatures", _theirs),
    "signature-twice": _put("dsseEnvelope.signatures", lambda value, _: value * 2),
    "no-signature": _put("dsseEnvelope.signatures", lambda *_: []),
    "certificate-of-another": _put("verificationMaterial.certificate", _theirs),
    "key-instead-of-certificate": _body(
        lambda body, _: (
            body["verificationMaterial"].update(publicKey={"hint": ""})
            or body["verificationMaterial"].pop("certificate")
        )
    ),
    "no-log": _put("verificationMaterial.tlogEntries", lambda *_: []),
    "log-twice": _put("verificationMaterial.tlogEntries", lambda value, _: value * 2),
    "log-of-another": _put("verificationMaterial.tlogEntries", _theirs),
    "log-and-another": _put("verificationMaterial.tlogEntries", lambda value, other: value + other),
    "no-promise": _drop(f"{_ENTRY}.inclusionPromise"),
    "promise-flipped": _put(f"{_ENTRY}.inclusionPromise.signedEntryTimestamp", lambda value, _: _flip(value)),
    "no-proof": _drop(f"{_ENTRY}.inclusionProof"),
    "proof-of-another": _put(f"{_ENTRY}.inclusionProof", _theirs),
    "proof-root": _put(f"{_ENTRY}.inclusionProof.rootHash", lambda value, _: _flip(value)),
    "proof-size": _put(f"{_ENTRY}.inclusionProof.treeSize", lambda value, _: str(int(value) + 1)),
    "proof-index": _put(f"{_ENTRY}.inclusionProof.logIndex", lambda value, _: str(int(value) + 1)),
    "proof-checkpoint": _put(
        f"{_ENTRY}.inclusionProof.checkpoint.envelope", lambda value, _: value[:-9] + "AAAA" + value[-5:]
    ),
    "log-time": _put(f"{_ENTRY}.integratedTime", lambda value, _: str(int(value) + 1)),
    "log-index": _put(f"{_ENTRY}.logIndex", lambda value, _: str(int(value) + 1)),
    "log-id": _put(f"{_ENTRY}.logId.keyId", lambda *_: "AAAA" * 10 + "AAA="),
    "log-body": _put(f"{_ENTRY}.canonicalizedBody", lambda value, _: _flip(value)),
    "log-kind": _put(f"{_ENTRY}.kindVersion.kind", lambda *_: "intoto"),
    "log-kind-version": _put(f"{_ENTRY}.kindVersion.version", lambda *_: "0.0.2"),
    "no-timestamp": _drop(_TIMES),
    "timestamp-of-another": _put(_TIMES, _theirs),
    "timestamp-twice": _put(f"{_TIMES}.rfc3161Timestamps", lambda value, _: value * 2),
    "version-0.1": _put("mediaType", lambda *_: "application/vnd.dev.sigstore.bundle+json;version=0.1"),
    "version-0.2": _put("mediaType", lambda *_: "application/vnd.dev.sigstore.bundle+json;version=0.2"),
    "version-0.4": _put("mediaType", lambda *_: "application/vnd.dev.sigstore.bundle.v0.4+json"),
    "unknown-field": _body(lambda body, _: body.update(surprise=1)),
}
