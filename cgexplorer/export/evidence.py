"""One signature or attestation as files, and the lines of the script that check them."""

from __future__ import annotations

import re
from collections.abc import Callable

from cgexplorer.export import cosign, script
from cgexplorer.export.rules import Rules
from cgexplorer.export.script import Step
from cgexplorer.oci import signed_forms
from cgexplorer.oci.evidence import Evidence as Found
from cgexplorer.oci.evidence import Form, Kind
from cgexplorer.predicates import label
from cgexplorer.store.models import Manifest
from cgexplorer.store.queries import attestations, exports, payloads
from cgexplorer.store.queries.verification import Judged
from cgexplorer.verify import as_bundle
from cgexplorer.verify.material import DSSE_ENVELOPE, SIMPLE_SIGNING
from cgexplorer.verify.verdict import State

SPDX = "https://spdx.dev/Document"
_CHECKED = (State.VERIFIED, State.VERIFIED_STALE, State.NO_POLICY)
_PAYLOAD = re.compile(rb'"payload" *: *"[A-Za-z0-9+/=]*"')

type Add = Callable[[str, bytes], None]


def add(write: Add, manifest: Manifest, number: int, judged: Judged, rules: Rules) -> list[Step]:
    """Writes the files of this evidence; what is to be checked about them comes back."""
    found = exports.stored(judged.evidence)
    stem = f"evidence/{manifest.digest[7:19]}/{number:02}-{_word(judged)}"
    layer = _layer(found, stem)
    steps: list[Step] = []
    bundle_name, bundle = f"{stem}.sigstore.json", b""
    if found.form is Form.BUNDLE:
        bundle = found.content
        write(layer, bundle)
        steps += _envelope(write, judged, bundle_name, bundle, f"{stem}.dsse.json")
    else:
        write(layer, found.content)
        write(f"{stem}.annotations.json", judged.evidence.annotations_json.encode())
        try:
            bundle = as_bundle.from_classic(found)
            write(bundle_name, bundle)
            steps += _slice(bundle_name, bundle, found.content, layer)
        except as_bundle.NotABundle as error:
            unchecked = script.skipped if judged.row.state in _CHECKED else script.note
            steps.append(unchecked(f"{layer}, by cosign. {error}"))
    steps += _predicate(write, judged, bundle_name, bundle, stem)
    if judged.row.state not in _CHECKED:
        return [*steps, script.note(f"Not checked: {layer} is {judged.row.state}.")]
    return [*steps, *_call(judged, manifest.digest, found, bundle_name, layer, rules)] if bundle else steps


def _call(judged: Judged, digest: str, found: Found, bundle_name: str, layer: str, rules: Rules) -> list[Step]:
    row = judged.row
    flags = rules.flags(row)
    if flags is None:
        return [script.skipped(f"{layer}, by cosign: it has no signer that a flag could name.")]
    if row.policy and cosign.cannot_verify(row.policy, row.identity):
        return [script.skipped(f"{layer}, by cosign: it signs with Ed25519 keys and verifies none of it.")]
    if found.media_type == SIMPLE_SIGNING:
        pattern = rb'"docker-manifest-digest"\s*:\s*"' + digest.encode() + b'"'
        named = re.search(pattern, found.content)
        if named is None or b"\n" in named[0]:
            return [script.failure(f"{layer} names the image in a way that this script cannot read.")]
        return [Step("signature", (bundle_name, layer, named[0].decode(), *flags))]
    asked = [f"--type={row.predicate_type}", f"--digest={digest[7:]}", "--digestAlg=sha256"]
    return [Step("attestation", (bundle_name, *flags, *asked))]


def _envelope(write: Add, judged: Judged, bundle_name: str, bundle: bytes, name: str) -> list[Step]:
    envelope = attestations.envelope(judged.evidence)
    steps = _slice(bundle_name, bundle, envelope, name) if envelope else []
    if steps:
        write(name, envelope)
    return steps


def _slice(bundle_name: str, bundle: bytes, envelope: bytes, name: str) -> list[Step]:
    """That the file is what the bundle has at this place; nothing when the bundle does not have it as it is."""
    start = bundle.find(envelope)
    return [Step("slice", (bundle_name, str(start + 1), str(len(envelope)), name))] if start >= 0 else []


def _predicate(write: Add, judged: Judged, bundle_name: str, bundle: bytes, stem: str) -> list[Step]:
    """Exactly the signed bytes of the predicate, and where in the statement they are."""
    evidence = judged.evidence
    if evidence.kind != Kind.ATTESTATION or judged.row.state not in attestations.SIGNED or evidence.payload is None:
        return []
    predicate, statement = payloads.predicate(evidence), payloads.content(evidence.payload)
    start = statement.rfind(predicate) if predicate else -1
    if start < 0:
        return []
    name = f"{stem}.spdx.json" if judged.row.predicate_type == SPDX else f"{stem}.predicate.json"
    write(name, predicate)
    if len(_PAYLOAD.findall(bundle)) != 1:
        return [script.note(f"Not compared with the signed statement: {name}.")]
    return [Step("predicate", (bundle_name, str(start + 1), str(len(predicate)), name))]


def _layer(found: Found, stem: str) -> str:
    """The name of the stored layer; the extension says what it is to a person, and nothing of it is from outside."""
    if found.form is Form.BUNDLE:
        return stem + (".sigstore.json" if signed_forms.is_bundle(found.media_type) else ".bin")
    known = {SIMPLE_SIGNING: ".simplesigning.json", DSSE_ENVELOPE: ".dsse.json"}
    return stem + known.get(found.media_type, ".bin")


def _word(judged: Judged) -> str:
    """What it is, in at most 24 harmless letters."""
    if judged.evidence.kind == Kind.SIGNATURE:
        return "signature"
    words = re.sub("[^a-z0-9]+", "-", label(judged.row.predicate_type).lower()[:24]).strip("-")
    return words or "attestation"
