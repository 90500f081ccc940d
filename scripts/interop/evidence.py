"""`verify.sh` of our evidence bundles, run with stock cosign and without any network."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

from django.core.management import call_command

from scripts.interop import store, toolchain
from scripts.interop.signing import Desk, Signed

TIMEOUT_S = 120
POSTGRES = Path(__file__).resolve().parents[3] / "shared" / "data" / "chainguard-postgres" / "oci-layout"
# Of these the index is unsigned, or a platform by a signer that no policy allows: the script says so.
NOT_WHOLE = ("platform-only", "index-alice-platform-mallory")
# Only a timestamp over the envelope says when it was signed, which a bundle cannot hold.
NO_BUNDLE = ("attest-classic-c2-alice-tsa",)
# One of each form whose every file is altered in turn.
ALTERED = (
    "sign-classic-c2-alice-rekor1",
    "attest-classic-c2-alice-rekor1",
    "sign-bundle-c3-p256-rekor1",
    "attest-bundle-c3-alice-rekor1-tsa",
)


@dataclass(frozen=True)
class Proof:
    """One run of a script: what was done to the bundle first, and how it ended."""

    bundle: str
    about: str
    program: str
    exit_code: int
    verified: int  # pieces that cosign verified
    expect: int
    word: str

    @property
    def is_fine(self) -> bool:
        return self.exit_code == self.expect


def prove_all(desk: Desk, signed: list[Signed], folder: Path) -> list[Proof]:
    """Every exhibit that was signed here, and a real image where its material is at hand."""
    folder.mkdir()
    program, older = toolchain.find("cosign", 3), toolchain.find("cosign", 2)
    proofs = []
    for one in signed:
        if one.not_made or not one.exhibit.acts or one.exhibit.name.startswith("altered"):
            continue
        store.add(desk, one)
        bundle = export(one.reference, folder / one.exhibit.name)
        proofs.append(prove(bundle, program, expect=_expected(one)))
        if one.exhibit.name in ALTERED:
            proofs += altered(bundle, program)
    if POSTGRES.is_dir():
        name = "cgr.dev/chainguard/postgres:18.4"
        call_command("import_layout", str(POSTGRES), "--as", name, stdout=io.StringIO())
        bundle = export(name, folder / "chainguard-postgres")
        proofs += [prove(bundle, program), prove(bundle, older), *altered(bundle, program)]
    return proofs


def _expected(one: Signed) -> int:
    """How the script should end: 0, 1 where not all is signed as the policy asks, 3 where cosign cannot be asked."""
    if one.exhibit.name.startswith(NOT_WHOLE):
        return 1
    return 3 if one.exhibit.name in NO_BUNDLE or one.exhibit.acts[0].signer == "ed25519" else 0


def offline() -> list[str]:
    """The words that put a command where there is no network; none where that is not permitted."""
    for words in (["unshare", "-n"], ["unshare", "-rn"]):
        if (
            shutil.which("unshare")
            and subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0
        ):
            return words
    return []


def export(reference: str, folder: Path) -> Path:
    """The unpacked evidence bundle of a stored image."""
    file = folder.with_suffix(".zip")
    call_command("export_evidence", reference, output=file, stdout=io.StringIO())
    with zipfile.ZipFile(file) as found:
        found.extractall(folder)
    return folder


def prove(folder: Path, program: Path, *, about: str = "as written", expect: int = 0) -> Proof:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder.parent), "COSIGN": str(program)}
    finished = subprocess.run(
        [*offline(), "/bin/sh", str(folder / "verify.sh")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    lines = [line for line in finished.stderr.splitlines() if line.strip()]
    verified = finished.stdout.count("Verified: ")
    return Proof(folder.name, about, program.name, finished.returncode, verified, expect, lines[0] if lines else "")


def altered(folder: Path, program: Path) -> list[Proof]:
    """Each file with one byte flipped; then each piece of evidence again, with checksums that fit."""
    proofs = []
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        name, kept = str(path.relative_to(folder)), path.read_bytes()
        if name == "verify.sh" or not kept:
            continue  # an altered script proves nothing, whatever it says
        path.write_bytes(_flipped(kept))
        proofs.append(prove(folder, program, about=f"{name} altered", expect=1))
        if _is_signed(name):
            sums = folder / "SHA256SUMS"
            kept_sums = sums.read_text()
            sums.write_text(_sums(folder, kept_sums))
            proofs.append(prove(folder, program, about=f"{name} altered, checksums fit", expect=1))
            sums.write_text(kept_sums)
        path.write_bytes(kept)
    return proofs


def _is_signed(name: str) -> bool:
    """Files that the signature itself protects, not only the list of checksums."""
    return name.endswith((".sigstore.json", ".simplesigning.json", ".dsse.json", ".spdx.json", ".predicate.json"))


def _flipped(content: bytes) -> bytes:
    """A letter or digit near the middle becomes another one, so that the file stays well formed."""
    start = next((i for i in range(len(content) // 2, len(content)) if content[i : i + 1].isalnum()), len(content) // 2)
    other = b"A" if content[start : start + 1] != b"A" else b"B"
    return content[:start] + other + content[start + 1 :]


def _sums(folder: Path, listed: str) -> str:
    names = [line.partition("  ")[2] for line in listed.splitlines()]
    return "".join(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
