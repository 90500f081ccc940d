"""A TUF repository as Sigstore's: real metadata, really signed, on a real HTTP server. Faults are made, not mocked.

tuf = FakeTuf(sigstore.trusted_root())
with tuf.served() as mirror:
    refresh(folder, mirror, transport, first=tuf.first_root)
"""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from tests.fakes.sigstore import keys

TARGET = "trusted_root.json"
WEEK = dt.timedelta(days=7)


class FakeTuf:
    """`publish` writes a new state of the repository into `files`; tests then alter those as a mirror might."""

    def __init__(self, trusted_root: bytes, *, seed: str = "tuf") -> None:
        self.seed = seed
        self.now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        self.files: dict[str, bytes] = {}  # path -> what the server answers
        self.status: dict[str, int] = {}  # path -> another answer than 200
        self.asked: list[str] = []
        self.root = Root(version=1, expires=self.now + 52 * WEEK, consistent_snapshot=True)
        self.root_signer = self.signer("root")
        self.signers = {role: self.signer(role) for role in ("timestamp", "snapshot", "targets")}
        for role, signer in (("root", self.root_signer), *self.signers.items()):
            self.root.add_key(signer.public_key, role)
        self.version = 0  # of timestamp, snapshot and targets
        self.first_root = self._write_root(self.root_signer)
        self.publish(trusted_root)

    def signer(self, name: str) -> CryptoSigner:
        return CryptoSigner(keys.ed25519_key(f"{self.seed} {name}"))

    def publish_root(self, *signers: CryptoSigner) -> bytes:
        """The next version of the root, signed by its key or by those given."""
        self.root.version += 1
        return self._write_root(*(signers or (self.root_signer,)))

    def _write_root(self, *signers: CryptoSigner) -> bytes:
        raw = _signed(self.root, *signers)
        self.files[f"{self.root.version}.root.json"] = raw
        return raw

    def rotate_root(self) -> None:
        """Another root key, vouched for by the old one."""
        old, self.root_signer = self.root_signer, self.signer(f"root {self.root.version + 1}")
        self.root.revoke_key(old.public_key.keyid, "root")
        self.root.add_key(self.root_signer.public_key, "root")
        self.publish_root(old, self.root_signer)

    def rotate(self, role: str) -> None:
        """Another key for timestamp, snapshot or targets."""
        self.root.revoke_key(self.signers[role].public_key.keyid, role)
        self.signers[role] = self.signer(f"{role} {self.root.version + 1}")
        self.root.add_key(self.signers[role].public_key, role)
        self.publish_root()

    def publish(
        self,
        trusted_root: bytes | None,
        *,
        expires: dict[str, dt.datetime] | None = None,
        version: int | None = None,
        by: dict[str, CryptoSigner] | None = None,
    ) -> None:
        """New targets, snapshot and timestamp. `expires` and `by` say for a role what else than usual."""
        self.version = version = version or self.version + 1
        until = dict.fromkeys(self.signers, self.now + WEEK) | (expires or {})
        signers = self.signers | (by or {})
        named = {}
        if trusted_root is not None:
            target = TargetFile.from_data(TARGET, trusted_root, ["sha256"])
            named[TARGET] = target
            self.files[f"targets/{hashlib.sha256(trusted_root).hexdigest()}.{TARGET}"] = trusted_root
        targets = _signed(Targets(version=version, expires=until["targets"], targets=named), signers["targets"])
        snapshot = _signed(
            Snapshot(version=version, expires=until["snapshot"], meta={"targets.json": MetaFile(version)}),
            signers["snapshot"],
        )
        described = MetaFile(version, length=len(snapshot), hashes={"sha256": hashlib.sha256(snapshot).hexdigest()})
        timestamp = Timestamp(version=version, expires=until["timestamp"], snapshot_meta=described)
        self.files[f"{version}.targets.json"] = targets
        self.files[f"{version}.snapshot.json"] = snapshot
        self.files["timestamp.json"] = _signed(timestamp, signers["timestamp"])

    @contextmanager
    def served(self) -> Iterator[str]:
        """The address of a server on loopback, without TLS, that ends with the block."""
        repository = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # headers and body in one packet: two would wait for each other

            def do_GET(self) -> None:
                path = self.path.removeprefix("/")
                repository.asked.append(path)
                body = repository.files.get(path, b"")
                self.send_response(repository.status.get(path, 200 if path in repository.files else 404))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_address[1]}"
            finally:
                server.shutdown()
                thread.join()


def _signed(what: Root | Timestamp | Snapshot | Targets, *signers: CryptoSigner) -> bytes:
    metadata = Metadata(what)
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes()
