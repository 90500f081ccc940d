"""What must be attested of an image before it is complete. It informs: no verdict hangs on it."""

from __future__ import annotations

import re

from cgexplorer.verify.errors import Fault

MAX_TYPES = 32
MAX_TYPE_CHARACTERS = 255
# What people say. Without a version any version will do.
FAMILIES = {
    "slsa": "https://slsa.dev/provenance",
    "apko": "https://apko.dev/image-configuration",
    "spdx": "https://spdx.dev/Document",
    "cyclonedx": "https://cyclonedx.org/bom",
    "vuln": "https://cosign.sigstore.dev/attestation/vuln",
    "openvex": "https://openvex.dev/ns",
}
_VERSION = re.compile(r"/v\d+(\.\d+)*")


def predicate_type(name: str) -> str:
    """The type behind a word such as `slsa`; a URI stays as it is. Raises Fault for anything else."""
    found = FAMILIES.get(name, name)
    if len(found) > MAX_TYPE_CHARACTERS or not found.isprintable() or not re.match(r"[a-z][a-z0-9+.-]*:\S+$", found):
        raise Fault(f"a predicate type: a URI, or one of {', '.join(FAMILIES)}", name[:80])
    return found


def meets(found: str, required: str) -> bool:
    """`https://spdx.dev/Document/v2.3` is a `https://spdx.dev/Document`, and not the other way round."""
    return found.startswith(required) and (
        found == required or _VERSION.fullmatch(found, len(required.rstrip("/"))) is not None
    )


def check(types: tuple[str, ...]) -> None:
    """Raises Fault."""
    if len(types) > MAX_TYPES:
        raise Fault(f"at most {MAX_TYPES} required types", str(len(types)))
    for one in types:
        if predicate_type(one) != one:
            raise Fault("predicate types as URIs", one)
