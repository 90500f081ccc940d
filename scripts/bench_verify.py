"""Verification for `make bench`: one signature, a big attestation, a thousand layers, and the requests that it takes.

Every signature that is timed has a certificate of its own, seen for the first time: nothing remembered helps. CPU time,
the least of many runs, since other programs only ever add to it. A program started for one answer (sigstore-python's,
cosign where it is in $COSIGN, kept by `make interop`, or on PATH) is measured whole, as whoever calls it pays for it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cgexplorer.oci import registry
from cgexplorer.oci.evidence import Evidence, Kind, discover
from cgexplorer.verify import keys, trust_root
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.verdict import State
from cgexplorer.verify.verifier import Verifier
from scripts.bench import SHARED, Result
from scripts.interop import toolchain
from tests.fakes.registry import FakeRegistry
from tests.fakes.sigstore import GITHUB, SPDX, WORKFLOW, FakeSigstore, Signer, evidence_of

RUNS = 40
LAYERS = 1000
NOW = dt.datetime.now(dt.UTC)
DIGEST = "sha256:" + "ab" * 32
SIGSTORE = FakeSigstore(NOW - dt.timedelta(days=1))
POLICY = Policy(issuer=GITHUB, identity=WORKFLOW)
VERIFIER = Verifier(trust_root.load(SIGSTORE.trusted_root()))
SIGNER = ["--certificate-identity", WORKFLOW, "--certificate-oidc-issuer", GITHUB]


def figures() -> list[Result]:
    with tempfile.TemporaryDirectory() as directory:
        return [*_one_by_one(), *_as_processes(Path(directory)), *_from_a_registry(Path(directory))]


def _least_ms(*functions: Callable[[], object], runs: int = RUNS) -> list[float]:
    """CPU milliseconds of each in this process, taken in turn."""
    least = [float("inf")] * len(functions)
    for _ in range(runs):
        for number, function in enumerate(functions):
            began = time.process_time()
            function()
            least[number] = min(least[number], (time.process_time() - began) * 1000)
    return least


def _beside(name: str, value: float, against: str, other: float, unit: str = "ms") -> Result:
    return Result(name, round(value, 3), unit, against, round(other, 3), round(value / other, 4))


def _per_second(name: str, cpu_ms: float, against: str, other_cpu_ms: float) -> Result:
    """What one core does in a second."""
    return _beside(f"{name}, each second of a core", 1000 / cpu_ms, against, 1000 / other_cpu_ms, "verifications")


def _verify(evidence: Evidence) -> None:
    verdict = VERIFIER.verify(evidence, evidence.subject, POLICY, now=NOW)
    assert verdict.state is State.VERIFIED, verdict.reason


def _one_by_one() -> list[Result]:
    from sigstore.models import Bundle, TrustedRoot
    from sigstore.verify import Verifier as TheirVerifier
    from sigstore.verify import policy as theirs
    from sigstore_models.trustroot.v1 import TrustedRoot as TheirRoot

    library = TheirVerifier(trusted_root=TrustedRoot(TheirRoot.from_json(SIGSTORE.trusted_root())))
    identity = theirs.Identity(identity=WORKFLOW, issuer=GITHUB)
    found = []
    for name, predicate in (("small", {}), ("300 KB SPDX", _spdx())):
        wires = [_bundle(predicate) for _ in range(RUNS)]
        ours, their = iter([evidence_of(wire, DIGEST, Kind.ATTESTATION) for wire in wires]), iter(wires)
        value, other, bare = _least_ms(
            lambda ours=ours: _verify(next(ours)),
            lambda their=their: library.verify_dsse(Bundle.from_json(next(their)), identity),
            _bare(json.dumps(predicate).encode()),
        )
        verify_dsse = "sigstore-python verify_dsse (fewer checks)"
        found.append(_beside(f"verify a bundle, {name}", value, verify_dsse, other))
        found.append(_per_second(f"verify a bundle, {name}", value, verify_dsse, other))
        found.append(_beside(f"verify a bundle, {name}", value, "its five bare signatures", bare))
    classic = iter([SIGSTORE.signature(DIGEST, SIGSTORE.leaf()) for _ in range(RUNS)])
    value, bare = _least_ms(lambda: _verify(next(classic)), _bare(b"", promise_only=True))
    found.append(_beside("verify a classic signature", value, "its four bare signatures", bare))
    found.append(_per_second("verify a classic signature", value, "its four bare signatures", bare))
    again = SIGSTORE.signature(DIGEST, SIGSTORE.leaf())
    (repeated,) = _least_ms(lambda: _verify(again))
    found.append(_beside("verify it again, as under another policy", repeated, "the first time", value))
    return found


def _bundle(predicate: object) -> bytes:
    """As cosign writes it: the statement compact, with a certificate of its own."""
    statement = json.loads(
        SIGSTORE.statement(DIGEST, SPDX, predicate, statement_type="https://in-toto.io/Statement/v1")
    )
    payload = json.dumps(statement, separators=(",", ":")).encode()
    return json.dumps(SIGSTORE.bundle(DIGEST, SIGSTORE.leaf(), payload=payload), separators=(",", ":")).encode()


def _spdx() -> object:
    file = SHARED / "chainguard-postgres" / "postgres-arm64.spdx.json"
    return json.loads(file.read_bytes()) if file.exists() else {"text": ["x" * 20] * 10_000}


def _bare(message: bytes, *, promise_only: bool = False) -> Callable[[], object]:
    """What no verifier can do without: one P-384 signature (the certificate's), and P-256 ones over SCT, promise,
    checkpoint (not in a classic signature) and the message itself."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    p256, p384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
    small, own = p256.sign(b"small", ec.ECDSA(hashes.SHA256())), p256.sign(message, ec.ECDSA(hashes.SHA256()))
    issued = p384.sign(b"certificate", ec.ECDSA(hashes.SHA384()))
    public256, public384 = keys.wrap(p256.public_key()), keys.wrap(p384.public_key(), hashes.SHA384())

    def run() -> None:
        good = [public256.signed(small, b"small") for _ in range(2 if promise_only else 3)]
        good += [public256.signed(own, message), public384.signed(issued, b"certificate")]
        assert all(good)

    return run


def _process_ms(*command: str | Path, home: Path) -> float:
    """CPU of a program, the least of five. It must succeed."""
    least = float("inf")
    for _ in range(5):
        began = _children_s()
        environment = {**os.environ, "HOME": str(home)}
        subprocess.run([*map(str, command)], check=True, capture_output=True, env=environment)
        least = min(least, (_children_s() - began) * 1000)
    return least


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _as_processes(directory: Path) -> list[Result]:
    """One answer from a program that is started for it, ours and sigstore-python's."""
    artifact, bundle, config, root = (
        directory / name for name in ("artifact", "bundle.json", "config.json", "root.json")
    )
    artifact.write_bytes(b"an artifact")
    bundle.write_text(json.dumps(SIGSTORE.bundle(DIGEST, SIGSTORE.leaf(), artifact=b"an artifact")))
    root.write_bytes(SIGSTORE.trusted_root())
    signing = {"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json"}
    signing |= {name: [] for name in ("caUrls", "oidcUrls", "rekorTlogUrls", "tsaUrls")}
    signing |= {name: {"selector": "ANY"} for name in ("rekorTlogConfig", "tsaConfig")}
    trust = {"mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"}
    config.write_text(json.dumps(trust | {"trustedRoot": json.loads(root.read_bytes()), "signingConfig": signing}))
    ours = [sys.executable, "-m", "cgexplorer.verify", "verify-bundle", "--bundle", bundle, "--trusted-root", root]
    their = [Path(sys.executable).parent / "sigstore", "--trust-config", config, "verify", "identity", "--offline"]
    signer = ["--bundle", bundle, "--cert-identity", WORKFLOW, "--cert-oidc-issuer", GITHUB, artifact]
    value, other = _process_ms(*ours, *SIGNER, artifact, home=directory), _process_ms(*their, *signer, home=directory)
    name, against = "verify a bundle, a process of its own", "sigstore verify identity --offline"
    return [_beside(name, value, against, other), _per_second(name, value, against, other)]


def _push(fake: FakeRegistry, layers: int, payloads: int, right: Signer, other: Signer) -> str:
    """An image with so many signatures, the last one by the right signer; answers its repository and digest."""
    repository = f"app-{layers}-{payloads}"
    digest = fake.push_image(repository)
    payload = SIGSTORE.simple_signing(digest, reference=f"{fake.host}/{repository}")
    wrong, good = (SIGSTORE.signature(digest, signer, payload=payload) for signer in (other, right))
    described = []
    for number, one in enumerate([*[wrong] * (layers - 1), good], start=1 - layers):  # the good one is number 0
        content = one.content + b" " * (number % payloads)
        described.append((one.media_type, content, {**one.annotations, "number": str(number)}))
    fake.push_signed(repository, described, digest.replace(":", "-") + ".sig")
    return f"{repository}@{digest}"


def _from_a_registry(directory: Path) -> list[Result]:
    found = []
    with _fake() as fake, registry.connect(fake.host, insecure=frozenset({fake.host})) as source:
        signer = SIGSTORE.keypair()
        policy = Policy(key_pem=signer.public_pem)

        def judge(image: str) -> None:
            repository, _, digest = image.partition("@")
            name = f"{fake.host}/{repository}"
            discovery = discover(source, repository, digest, name=name, only=Kind.SIGNATURE)
            verdicts = [VERIFIER.verify(one, digest, policy, now=NOW) for one in discovery.evidence]
            assert verdicts[-1].state is State.VERIFIED, verdicts[-1].reason

        for payloads, text in ((1, "one payload"), (LAYERS, "a payload each")):
            images = [_push(fake, n, payloads, signer, SIGSTORE.keypair(seed="other")) for n in (1, LAYERS)]
            one, many = _least_ms(*(lambda image=image: judge(image) for image in images), runs=5)
            found.append(_beside(f"fetch and judge a .sig of 1,000 layers, {text}", many, "the same of one layer", one))
        found += _beside_cosign(fake, directory)
    return found


def _cosign() -> str | None:
    if named := os.environ.get("COSIGN"):
        return shutil.which(named)
    try:
        return str(toolchain.find("cosign", 3))
    except toolchain.Missing:
        return shutil.which("cosign")


def _beside_cosign(fake: FakeRegistry, directory: Path) -> list[Result]:
    cosign = _cosign()
    if cosign is None:
        print("No cosign in $COSIGN, of `make interop` or on PATH: its figures are left out.", file=sys.stderr)
        return []
    leaf = SIGSTORE.leaf()
    image = _push(fake, 1, 1, leaf, leaf)
    common = [*SIGNER, "--trusted-root", directory / "root.json", "--allow-http-registry", f"{fake.host}/{image}"]
    fake.requests.clear()
    theirs = _process_ms(cosign, "verify", "--offline", *common, home=directory)
    their_requests = len(fake.requests) / 5
    fake.requests.clear()
    ours = _process_ms(sys.executable, "-m", "cgexplorer.verify", "verify", *common, home=directory)
    our_requests = len(fake.requests) / 5
    name, against = "verify an image, a process of its own", "cosign verify --offline"
    return [
        _beside(name, ours, against, theirs),
        _per_second(name, ours, against, theirs),
        _beside("requests to verify an image by digest", our_requests, "cosign verify", their_requests, "requests"),
    ]


@contextlib.contextmanager
def _fake() -> Iterator[FakeRegistry]:
    """cosign breaks its connections off, of which the fake registry would tell at length."""
    with contextlib.redirect_stderr(io.StringIO()), FakeRegistry() as fake:
        yield fake
