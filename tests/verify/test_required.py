"""Which predicate type meets which requirement."""

from __future__ import annotations

import pytest

from cgexplorer.verify import required, signer
from cgexplorer.verify.errors import Fault
from tests.fakes.sigstore import SPDX
from tests.verify.world import policy

SLSA = "https://slsa.dev/provenance"


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (SPDX, SPDX),
        (SPDX + "/v2.3", SPDX),
        (SLSA + "/v1", SLSA),
        (SLSA + "/v0.2", SLSA),
        (SLSA + "/v1", SLSA + "/v1"),
        (SLSA + "/v1", SLSA + "/"),
    ],
)
def test_a_version_of_what_is_asked_for_meets_it(found: str, wanted: str) -> None:
    assert required.meets(found, wanted)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (SPDX, SPDX + "/v2.3"),
        (SLSA + "/v0.2", SLSA + "/v1"),
        (SLSA + "/v1.0", SLSA + "/v1"),
        (SLSA + "/v1/extra", SLSA),
        (SLSA + "/verification_summary/v1", SLSA),
        (SLSA + "v1", SLSA),
        (SPDX + "s", SPDX),
        ("", SPDX),
        (SLSA + "/v1\n", SLSA),
    ],
)
def test_anything_else_does_not(found: str, wanted: str) -> None:
    assert not required.meets(found, wanted)


def test_words_stand_for_every_version_of_a_type() -> None:
    assert required.predicate_type("slsa") == SLSA
    assert required.predicate_type("spdx") == SPDX
    assert required.predicate_type("https://example.com/mine/v1") == "https://example.com/mine/v1"


@pytest.mark.parametrize("name", ["", "sbom", "https://example.com/a b", "https://x/\0", "https://x/" + "a" * 300])
def test_what_is_no_type_is_refused(name: str) -> None:
    with pytest.raises(Fault):
        required.predicate_type(name)


@pytest.mark.parametrize("types", [("slsa",), ("",), tuple(f"https://x/{n}" for n in range(33))])
def test_a_policy_holds_types_as_uris_and_not_too_many(types: tuple[str, ...]) -> None:
    with pytest.raises(Fault):
        signer.check_policy(policy(required_types=types))
