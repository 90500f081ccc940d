"""Signs the exhibits with stock cosign, one call an act."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from scripts.interop import predicates, signers, toolchain
from scripts.interop.exhibits import PREDICATES, Act, Exhibit, Form
from scripts.interop.images import Repository
from scripts.interop.sigstore_stack import Stack
from scripts.interop.trust import Trust

TIMEOUT_S = 60


@dataclass(frozen=True)
class Signed:
    """An exhibit as it lies in its registry."""

    exhibit: Exhibit
    registry: str
    digest: str
    platforms: tuple[str, ...] = ()
    not_made: str = ""  # what cosign said when it refused

    @property
    def reference(self) -> str:
        return f"{self.registry}/{self.exhibit.name}@{self.digest}"


@dataclass(frozen=True)
class Desk:
    """Everything that signing needs."""

    stack: Stack
    trust: Trust
    keys: Path
    home: Path  # cosign's: without a cache of its own it cannot fall back on public roots
    registries: dict[str, str]


def sign_all(desk: Desk, exhibits: tuple[Exhibit, ...]) -> list[Signed]:
    desk.home.mkdir(exist_ok=True)
    predicates.write_all(desk.home, PREDICATES)
    with ThreadPoolExecutor(2, thread_name_prefix="sign") as pool:
        return list(pool.map(lambda one: _sign(desk, one), exhibits))


def _sign(desk: Desk, exhibit: Exhibit) -> Signed:
    registry = desk.registries[exhibit.registry]
    repository = Repository(registry, exhibit.name)
    digest, platforms = repository.push_image(index=exhibit.index)
    repository.close()
    for act in exhibit.acts:
        target = digest if act.on is None else platforms[act.on]
        refusal = _act(desk, act, f"{registry}/{exhibit.name}@{target}")
        if refusal:
            return Signed(exhibit, registry, digest, platforms, refusal)
    return Signed(exhibit, registry, digest, platforms)


def _act(desk: Desk, act: Act, reference: str) -> str:
    """ "" when it is done, else cosign's own words."""
    command = [str(toolchain.find("cosign", act.tool)), "attest" if act.predicate else "sign", "-y"]
    command += ["--allow-http-registry", *_who(desk, act), *_where(desk, act), *_what(desk, act), reference]
    finished = subprocess.run(
        command, env=environment(desk, act), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    lines = [line for line in finished.stderr.splitlines() if line.strip()]
    return (lines[-1] if lines else "no word") if finished.returncode else ""


def environment(desk: Desk, act: Act | None = None) -> dict[str, str]:
    """cosign's, with the roots of the private Sigstore for what takes no trusted root."""
    keys = desk.stack.keys
    told = {
        "PATH": os.environ["PATH"],
        "HOME": str(desk.home),
        "COSIGN_PASSWORD": "",
        "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": str(keys / "ct.pub"),
        "SIGSTORE_REKOR_PUBLIC_KEY": str(keys / "rekor.pub"),
        "SIGSTORE_ROOT_FILE": str(keys / "fulcio-chain.pem"),
        "SIGSTORE_TSA_CERTIFICATE_FILE": str(keys / "tsa-chain.pem"),
    }
    if act is not None and act.form is Form.ATTACHED:
        told["COSIGN_EXPERIMENTAL"] = "1"
    return told


def _who(desk: Desk, act: Act) -> list[str]:
    if signers.is_key(act.signer):
        return [f"--key={desk.keys / act.signer}.key"]
    person = signers.PEOPLE[act.signer]
    return [f"--identity-token={desk.stack.issuer.token(person.issuer, **person.claims)}"]


def _where(desk: Desk, act: Act) -> list[str]:
    """Which services see the signature, and in which form it is stored."""
    if act.form is Form.BUNDLE:
        flags = [f"--signing-config={desk.trust.config(act.log)}", f"--trusted-root={desk.trust.root()}"]
        return flags if act.tool == 3 else [*flags, "--new-bundle-format"]
    flags = [f"--fulcio-url={desk.stack.fulcio}", f"--rekor-url={desk.stack.rekor}"]
    if act.tool == 3:
        flags += ["--new-bundle-format=false", "--use-signing-config=false"]
    if "tsa" in act.log:
        flags.append(f"--timestamp-server-url={desk.stack.timestamps}")
    if not act.log.startswith("rekor"):
        flags.append("--tlog-upload=false")
    return [*flags, "--registry-referrers-mode=oci-1-1"] if act.form is Form.ATTACHED else flags


def _what(desk: Desk, act: Act) -> list[str]:
    if act.predicate:
        return [f"--type={act.predicate}", f"--predicate={predicates.path(desk.home, act.predicate)}"]
    return [*(f"--annotations={pair}" for pair in act.annotations), *(["--recursive"] if act.recursive else [])]
