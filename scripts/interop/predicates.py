"""The smallest predicate of each type that cosign takes."""

from __future__ import annotations

import json
from pathlib import Path

_WHEN = "2026-01-02T03:04:05Z"
_SAMPLES: dict[str, object] = {
    "spdxjson": {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "interop",
        "documentNamespace": "https://example.test/interop",
        "creationInfo": {"created": _WHEN, "creators": ["Tool: interop"]},
        "packages": [
            {"name": "zlib", "SPDXID": "SPDXRef-zlib", "versionInfo": "1.3.1-r0", "downloadLocation": "NOASSERTION"}
        ],
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relatedSpdxElement": "SPDXRef-zlib",
                "relationshipType": "DESCRIBES",
            }
        ],
    },
    "cyclonedx": {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": []},
    "slsaprovenance": {"builder": {"id": "https://example.test/builder"}, "buildType": "https://example.test/build"},
    "slsaprovenance1": {
        "buildDefinition": {"buildType": "https://example.test/build", "externalParameters": {}},
        "runDetails": {"builder": {"id": "https://example.test/builder"}},
    },
    "vuln": {
        "invocation": {"parameters": [], "uri": "", "event_id": "", "builder.id": ""},
        "scanner": {"uri": "https://example.test/scanner", "version": "1", "result": {}},
        "metadata": {"scanStartedOn": _WHEN, "scanFinishedOn": _WHEN},
    },
    "openvex": {"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.test/vex", "statements": []},
}
_OTHER = {"note": 'a "custom" predicate — with é'}


def write_all(folder: Path, types: tuple[str, ...]) -> None:
    for one in types:
        path(folder, one).write_text(json.dumps(_SAMPLES.get(one, _OTHER)))


def path(folder: Path, predicate_type: str) -> Path:
    """The file with a predicate of this type."""
    return folder / f"predicate-{predicate_type.replace('/', '_')}.json"
