"""Anybody who may push a signature may push many: a thousand in one tag are all judged, and the good one is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cgexplorer.verify.cli import main
from tests.fakes.registry import FakeRegistry
from tests.verify.world import KEY, SIGSTORE

LAYERS = 1000


@pytest.mark.parametrize("payloads", [1, LAYERS], ids=["one payload", "a payload each"])
def test_the_good_signature_is_found_behind_999_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], payloads: int
) -> None:
    (tmp_path / "key.pub").write_text(KEY.public_pem)
    (tmp_path / "root.json").write_bytes(SIGSTORE.trusted_root())
    with FakeRegistry() as registry:
        digest = registry.push_image("app")
        payload = SIGSTORE.simple_signing(digest, reference=f"{registry.host}/app")
        foreign = SIGSTORE.signature(digest, SIGSTORE.keypair(seed="another key"), payload=payload)
        good = SIGSTORE.signature(digest, KEY, payload=payload)
        layers = [
            # White space is harmless in a payload, and makes another blob of it.
            (one.media_type, one.content + b" " * (number % payloads), {**one.annotations, "number": str(number)})
            for number, one in enumerate([*[foreign] * (LAYERS - 1), good], start=1)
        ]
        registry.push_signed("app", layers, digest.replace(":", "-") + ".sig")
        flags = ["--allow-http-registry", "--key", str(tmp_path / "key.pub"), "--output", "json"]
        root = ["--trusted-root", str(tmp_path / "root.json")]
        assert main(["verify", *flags, *root, f"{registry.host}/app@{digest}"]) == 0
        blobs = [path for _, path, _ in registry.requests if "/blobs/" in path]
    (subject,) = json.loads(capsys.readouterr().out)["subjects"]
    assert subject["problems"] == []
    states = [row["state"] for row in subject["evidence"]]
    assert (len(states), states.index("verified")) == (LAYERS, LAYERS - 1)
    assert len(blobs) <= payloads
