"""Keep SBOM files that nobody signed: browsable, outside the default search."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

import msgspec
import zstandard
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from cgexplorer import ingest, jobs
from cgexplorer.management.store_command import StoreCommand
from cgexplorer.oci import reference as references
from cgexplorer.oci.errors import OciError

MAX_BYTES = 128 << 20  # decoded; as an attestation's ceiling
MAX_NAME_CHARACTERS = 200  # a name has 255 with its registry


class Command(StoreCommand):
    help = "Import unsigned SBOM files (SPDX of any form, CycloneDX JSON or XML; .zst is unpacked)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--as", dest="name", metavar="REF", help="name of the image that a single file is about")

    def handle(self, *args: Any, files: list[Path], name: str | None, **options: Any) -> None:
        if name and len(files) > 1:
            raise CommandError("--as names one image: give one file with it.")
        failed = [file for file in files if not self.take(file, name)]
        if failed:
            raise CommandError(f"{len(failed)} of {len(files)} files cannot be read as an SBOM.")

    def take(self, file: Path, name: str | None) -> bool:
        """False, with the reason on stderr, when the file cannot be read, or is kept without being JSON."""
        try:
            raw = read(file)
            reference = references.parse(name) if name else None
        except (OSError, ValueError, OciError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self.stderr.write(f"{file}: {why}")
            return False
        sbom = ingest.import_sbom(raw, slug(file), now=timezone.now(), reference=reference)
        jobs.defer_conformance(sbom.image.name)
        stored = f"{sbom.image.name}@{sbom.manifest.digest}"
        if sbom.indexed:
            contents = sbom.installed_count + sbom.module_count
            self.stdout.write(f"{file.name}: {contents} packages of {sbom.package_count} elements, kept as {stored}")
            return True
        self.stderr.write(f"{file.name}: kept as {stored}, not indexed: {sbom.not_indexed_reason}")
        return is_json(raw)


def read(file: Path) -> bytes:
    """Bytes of the file, unpacked. Raises OSError, or ValueError when it is too large, no zstd or no plain file."""
    # Not blocking: opening a FIFO would wait for a writer for ever.
    with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise ValueError("this is no plain file")
        try:
            source = zstandard.ZstdDecompressor().stream_reader(opened) if file.suffix == ".zst" else opened
            raw = source.read(MAX_BYTES + 1)
        except zstandard.ZstdError as error:
            raise ValueError(f"cannot be unpacked: {error}") from error
    if len(raw) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES >> 20} MiB")
    return raw


def is_json(raw: bytes) -> bool:
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def slug(file: Path) -> str:
    """A repository name out of a file name: `Debian Host.spdx.json.zst` → `debian-host`."""
    stem = re.sub(r"(\.(spdx|cdx|json|xml|rdf|ya?ml|zst))+$", "", file.name.lower())
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:MAX_NAME_CHARACTERS] or "sbom"
