"""A real Sigstore on loopback: Fulcio, CT log, Rekor v1 and v2, timestamp authority, OIDC issuer.

Trillian, which keeps both old logs, has a database of its own in the embedded PostgreSQL of the project.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from cgexplorer import embedded_pg
from scripts.interop import authorities, toolchain
from scripts.interop.issuer import CI, EMAIL, OTHER_EMAIL, URI, Issuer
from scripts.interop.processes import Processes, free_port

DATABASE = "interop_trillian"
REKOR_NAME, TILES_NAME = "rekor.example.test", "tiles.example.test"
SITE = "https://git.example.test"  # where the CI's repositories are
_WORKFLOW_CLAIMS = {
    "github-workflow-trigger": "event_name",
    "github-workflow-sha": "sha",
    "github-workflow-name": "workflow",
    "github-workflow-repository": "repository",
    "github-workflow-ref": "ref",
    "build-signer-uri": "{{ .url }}/{{ .job_workflow_ref }}",
    "build-signer-digest": "job_workflow_sha",
    "runner-environment": "runner_environment",
    "source-repository-uri": "{{ .url }}/{{ .repository }}",
    "source-repository-digest": "sha",
    "source-repository-ref": "ref",
    "source-repository-identifier": "repository_id",
    "source-repository-owner-uri": "{{ .url }}/{{ .repository_owner }}",
    "source-repository-owner-identifier": "repository_owner_id",
    "build-config-uri": "{{ .url }}/{{ .workflow_ref }}",
    "build-config-digest": "workflow_sha",
    "build-trigger": "event_name",
    "run-invocation-uri": "{{ .url }}/{{ .repository }}/actions/runs/{{ .run_id }}/attempts/{{ .run_attempt }}",
    "source-repository-visibility-at-signing": "repository_visibility",
}


@dataclass(frozen=True)
class Stack:
    """Where everything answers, and the folder with all keys."""

    keys: Path
    issuer: Issuer
    fulcio: str
    rekor: str
    tiles: str
    timestamps: str


@contextmanager
def running(folder: Path, home: Path, processes: Processes) -> Iterator[Stack]:
    """Raises processes.NotReady, embedded_pg.PostgresError."""
    keys = folder / "keys"
    authorities.make(keys)
    issuer = Issuer(keys)
    try:
        timestamps = _timestamp_authority(processes, keys)
        trillian, log_tree, ct_tree = _trillian(processes, home)
        rekor = _rekor(processes, keys, trillian, log_tree)
        tiles = _rekor_tiles(processes, folder, keys)
        ct_log = _ct_log(processes, folder, keys, trillian, ct_tree)
        fulcio = _fulcio(processes, folder, keys, issuer, ct_log)
        yield Stack(keys, issuer, fulcio, rekor, tiles, timestamps)
    finally:
        issuer.close()


def _timestamp_authority(processes: Processes, keys: Path) -> str:
    # First of all: it and Rekor v1 bind the same metrics port, which only this one does not survive.
    port = free_port()
    processes.start(
        "timestamp-server",
        [
            _binary("timestamp-server"), "serve", "--host=127.0.0.1", f"--port={port}", "--timestamp-signer=file",
            f"--file-signer-key-path={keys / 'tsa.key'}", "--file-signer-passwd=",
            f"--certificate-chain-path={keys / 'tsa-chain.pem'}", "--disable-ntp-monitoring",
        ],
        answers=f"http://127.0.0.1:{port}/ping",
    )  # fmt: skip
    return f"http://127.0.0.1:{port}/api/v1/timestamp"


def _trillian(processes: Processes, home: Path) -> tuple[int, str, str]:
    """Port of the log server, and the ids of two trees."""
    where = embedded_pg.ensure_running(home)
    with psycopg.connect(embedded_pg.conninfo(home, "postgres"), autocommit=True) as connection:
        name = sql.Identifier(DATABASE)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    with psycopg.connect(embedded_pg.conninfo(home, DATABASE)) as connection:
        connection.execute(toolchain.trillian_schema().read_bytes())
    uri = f"postgresql:///{DATABASE}?host={quote(where['host'])}&port={where['port']}&user={where['user']}"
    storage = ["--storage_system=postgresql", f"--postgresql_uri={uri}", "--quota_system=noop", "--http_endpoint="]
    server, signer = free_port(), free_port()
    processes.start(
        "trillian_log_server",
        [_binary("trillian_log_server"), *storage, f"--rpc_endpoint=127.0.0.1:{server}"],
        port=server,
    )
    processes.start(
        "trillian_log_signer",
        [
            _binary("trillian_log_signer"), *storage, f"--rpc_endpoint=127.0.0.1:{signer}", "--force_master",
            "--election_system=noop", "--sequencer_interval=100ms", "--batch_size=100",
        ],
        port=signer,
    )  # fmt: skip
    trees = [_output([_binary("createtree"), f"--admin_server=127.0.0.1:{server}"]) for _ in range(2)]
    return server, trees[0], trees[1]


def _rekor(processes: Processes, keys: Path, trillian: int, tree: str) -> str:
    # The search index would want Redis; cosign finds entries by content, so nothing is missed.
    endpoints = "getLogInfo,getPublicKey,getLogProof,createLogEntry,getLogEntryByIndex,getLogEntryByUUID,searchLogQuery"
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    processes.start(
        "rekor-server",
        [
            _binary("rekor-server"), "serve", "--trillian_log_server.address=127.0.0.1",
            f"--trillian_log_server.port={trillian}", f"--trillian_log_server.tlog_id={tree}",
            f"--rekor_server.hostname={REKOR_NAME}", "--rekor_server.address=127.0.0.1",
            f"--rekor_server.signer={keys / 'rekor.key'}", f"--port={port}", "--enable_retrieve_api=false",
            f"--enabled_api_endpoints={endpoints}",
        ],
        answers=f"{url}/api/v1/log",
    )  # fmt: skip
    return url


def _rekor_tiles(processes: Processes, folder: Path, keys: Path) -> str:
    port, storage = free_port(), folder / "tiles"
    storage.mkdir()
    url = f"http://127.0.0.1:{port}"
    processes.start(
        "rekor-tiles",
        [
            _binary("rekor-tiles"), "serve", f"--storage-dir={storage}", f"--hostname={TILES_NAME}",
            f"--signer-filepath={keys / 'tiles.key'}", f"--http-port={port}", f"--grpc-port={free_port()}",
            f"--http-metrics-port={free_port()}", "--checkpoint-interval=500ms", "--batch-max-age=100ms",
        ],
        answers=f"{url}/healthz",
    )  # fmt: skip
    return url


def _ct_log(processes: Processes, folder: Path, keys: Path, trillian: int, tree: str) -> str:
    port, config = free_port(), folder / "ct.cfg"
    key = f'[type.googleapis.com/keyspb.PEMKeyFile] {{ path: "{keys / "ct.key"}" password: "{authorities.PASSWORD}" }}'
    config.write_text(
        f'config {{ log_id: {tree} prefix: "ct" roots_pem_file: "{keys / "fulcio-root.pem"}"\n'
        f'  ext_key_usages: "CodeSigning" private_key {{ {key} }}\n'
        "  max_merge_delay_sec: 86400 expected_merge_delay_sec: 60 }\n"
    )
    url = f"http://127.0.0.1:{port}/ct"
    processes.start(
        "ct_server",
        [
            _binary("ct_server"), f"--log_config={config}", f"--log_rpc_server=127.0.0.1:{trillian}",
            f"--http_endpoint=127.0.0.1:{port}", "--logtostderr",
        ],
        answers=f"{url}/ct/v1/get-roots",
    )  # fmt: skip
    return url


def _fulcio(processes: Processes, folder: Path, keys: Path, issuer: Issuer, ct_log: str) -> str:
    port, config = free_port(), folder / "fulcio.yaml"
    # Fulcio reads JSON with other field names and ends without any issuer, silently: a comment makes this YAML.
    config.write_text("# YAML\n" + json.dumps(_fulcio_config(), indent=1))
    url = f"http://127.0.0.1:{port}"
    processes.start(
        "fulcio",
        [
            _binary("fulcio"), "serve", "--ca=fileca", f"--fileca-cert={keys / 'fulcio-chain.pem'}",
            f"--fileca-key={keys / 'fulcio.key'}", f"--fileca-key-passwd={authorities.PASSWORD}",
            f"--config-path={config}", "--host=127.0.0.1", f"--port={port}", "--grpc-host=127.0.0.1",
            f"--grpc-port={free_port()}", f"--metrics-port={free_port()}",
            f"--legacy-unix-domain-socket={folder / 'fulcio.sock'}", f"--ct-log-url={ct_log}",
            f"--ct-log-public-key-path={keys / 'ct.pub'}",
        ],
        answers=f"{url}/healthz",
        HTTPS_PROXY=issuer.proxy,
        SSL_CERT_FILE=str(issuer.ca_file),
    )  # fmt: skip
    return url


def _fulcio_config() -> dict[str, object]:
    def entry(url: str, kind: str, **more: str) -> dict[str, object]:
        return {url: {"issuer-url": url, "client-id": "sigstore", "type": kind, **more}}

    return {
        "oidc-issuers": {
            **entry(EMAIL, "email"),
            **entry(OTHER_EMAIL, "email"),
            **entry(URI, "uri", **{"subject-domain": URI}),
            **entry(CI, "ci-provider", **{"ci-provider": "github-workflow"}),
        },
        "ci-issuer-metadata": {
            "github-workflow": {
                "default-template-values": {"url": SITE},
                "extension-templates": _WORKFLOW_CLAIMS,
                "subject-alternative-name-template": "{{ .url }}/{{ .job_workflow_ref }}",
            }
        },
    }


def _binary(name: str) -> str:
    return str(toolchain.find(name))


def _output(command: list[str]) -> str:
    return subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=True).stdout.strip()
