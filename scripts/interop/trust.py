"""Trusted roots and signing configs of the private Sigstore, written by stock cosign; and roots that lack something."""

from __future__ import annotations

import copy
import datetime as dt
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.interop import authorities, toolchain
from scripts.interop.sigstore_stack import REKOR_NAME, TILES_NAME, Stack

# Which services a signing config names. cosign with none of them signs with a bare key.
CONFIGS = {
    "rekor1": ("rekor1",),
    "rekor1+tsa": ("rekor1", "tsa"),
    "rekor2": ("rekor2", "tsa"),  # a log without a clock of its own needs the timestamp
    "tsa": ("tsa",),
    "none": (),
}


class Trust:
    """`root(name)` is a file to verify with, `config(name)` one to sign with."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        start = f"{dt.datetime.now(dt.UTC) - dt.timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
        _cosign("trusted-root", "create", *_root_flags(stack, start), "--out", str(self.root()))
        for name, services in CONFIGS.items():
            _cosign("signing-config", "create", *_config_flags(stack, start, services), "--out", str(self.config(name)))
        whole = json.loads(self.root().read_bytes())
        for name, change in VARIANTS.items():
            changed = copy.deepcopy(whole)
            change(changed, stack)
            self.root(name).write_text(json.dumps(changed))

    def root(self, name: str = "whole") -> Path:
        return self.folder / f"root-{name}.json"

    def config(self, name: str) -> Path:
        return self.folder / f"config-{name}.json"


def _ends_before_signing(item: dict[str, Any]) -> None:
    period = item.get("publicKey", item)["validFor"]
    period["end"] = f"{dt.datetime.now(dt.UTC) - dt.timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}"


def _ended(field: str) -> Callable[[dict[str, Any], Stack], None]:
    def change(root: dict[str, Any], stack: Stack) -> None:
        for item in root[field]:
            _ends_before_signing(item)

    return change


def _without(field: str) -> Callable[[dict[str, Any], Stack], None]:
    def change(root: dict[str, Any], stack: Stack) -> None:
        root[field] = []

    return change


def _another_authority(root: dict[str, Any], stack: Stack) -> None:
    """The same names, other keys."""
    stranger = stack.keys.parent / "stranger"
    authorities.make(stranger)
    chain = (stranger / "fulcio-chain.pem").read_text().split("-----END CERTIFICATE-----")
    ders = ["".join(part.splitlines()).replace("-----BEGIN CERTIFICATE-----", "") for part in chain if "BEGIN" in part]
    root["certificateAuthorities"][0]["certChain"]["certificates"] = [{"rawBytes": der} for der in ders]


VARIANTS: dict[str, Callable[[dict[str, Any], Stack], None]] = {
    "no-log": _without("tlogs"),
    "no-ct": _without("ctlogs"),
    "no-tsa": _without("timestampAuthorities"),
    "other-ca": _another_authority,
    "log-ended": _ended("tlogs"),
    "ct-ended": _ended("ctlogs"),
    "ca-ended": _ended("certificateAuthorities"),
    "tsa-ended": _ended("timestampAuthorities"),
}


def _root_flags(stack: Stack, start: str) -> list[str]:
    keys = stack.keys
    fulcio = f"url=https://fulcio.example.test,certificate-chain={keys / 'fulcio-chain.pem'},start-time={start}"
    tsa = f"url=https://tsa.example.test,certificate-chain={keys / 'tsa-chain.pem'},start-time={start}"
    # Without `origin` the log id of a Rekor v2 comes out wrong.
    tiles = f"url=https://{TILES_NAME},public-key={keys / 'tiles.pub'},start-time={start},origin={TILES_NAME}"
    return [
        f"--fulcio={fulcio}",
        f"--tsa={tsa}",
        f"--ctfe=url=https://ct.example.test,public-key={keys / 'ct.pub'},start-time={start}",
        f"--rekor=url=https://{REKOR_NAME},public-key={keys / 'rekor.pub'},start-time={start}",
        f"--rekor={tiles}",
    ]


def _config_flags(stack: Stack, start: str, services: tuple[str, ...]) -> list[str]:
    def service(url: str, version: int) -> str:
        return f"url={url},api-version={version},start-time={start},operator=example.test"

    known = {
        "rekor1": [f"--rekor={service(stack.rekor, 1)}", "--rekor-config=ANY"],
        "rekor2": [f"--rekor={service(stack.tiles, 2)}", "--rekor-config=ANY"],
        "tsa": [f"--tsa={service(stack.timestamps, 1)}", "--tsa-config=ANY"],
    }
    always = [f"--fulcio={service(stack.fulcio, 1)}", f"--oidc-provider={service('https://issuer.example.test', 1)}"]
    return [*always, *(flag for name in services for flag in known[name])]


def _cosign(*arguments: str) -> None:
    subprocess.run([toolchain.find("cosign", 3), *arguments], capture_output=True, check=True)
