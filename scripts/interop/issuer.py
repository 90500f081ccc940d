"""An OIDC issuer for the private Fulcio, and the proxy that leads to it; both are threads of this process.

Fulcio insists on https issuers and dials the host that a token's `iss` names. So that nobody edits /etc/hosts, a
CONNECT proxy (HTTPS_PROXY) sends every host in HOSTS to one server with a certificate of its own (SSL_CERT_FILE).
"""

from __future__ import annotations

import base64
import http.server
import json
import select
import socket
import socketserver
import ssl
import threading
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID

from scripts.interop import authorities

EMAIL = "https://accounts.example.test"
OTHER_EMAIL = "https://accounts.example.test.evil.example.test"  # begins like the other one: patterns must be anchored
URI = "https://issuer.example.test"
CI = "https://token.actions.example.test"
HOSTS = tuple(url.removeprefix("https://") for url in (EMAIL, OTHER_EMAIL, URI, CI))
_KEY_ID = "k1"


class Issuer:
    """`token` signs one; the servers run until `close`."""

    def __init__(self, folder: Path) -> None:
        self._key = rsa.generate_private_key(65537, 2048)
        root = authorities.authority("TLS root")
        tls = authorities.issue("issuer", root, ec.SECP256R1(), usage=ExtendedKeyUsageOID.SERVER_AUTH, hosts=HOSTS)
        self.ca_file = folder / "tls-ca.pem"
        authorities.write_chain(self.ca_file, root)
        authorities.write_key(folder / "tls.key", tls.key)
        authorities.write_chain(folder / "tls.pem", tls)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
        self._https = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._jwks()))
        self._https.socket = context.wrap_socket(self._https.socket, server_side=True)
        self._proxy = _Proxy(("127.0.0.1", 0), _Tunnel)
        self._proxy.leads_to = self._https.server_address[:2]
        for server in (self._https, self._proxy):
            threading.Thread(target=server.serve_forever, daemon=True).start()

    @property
    def proxy(self) -> str:
        host, port = self._proxy.server_address[:2]
        return f"http://{host!s}:{port}"

    def token(self, issuer: str, **claims: object) -> str:
        """A JWT good for ten minutes."""
        now = int(time.time())
        body = {"iss": issuer, "aud": "sigstore", "iat": now - 5, "nbf": now - 5, "exp": now + 600, **claims}
        header = {"alg": "RS256", "typ": "JWT", "kid": _KEY_ID}
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in (header, body))
        return f"{signed}.{_base64url(self._key.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"

    def close(self) -> None:
        for server in (self._https, self._proxy):
            server.shutdown()
            server.server_close()

    def _jwks(self) -> dict[str, Any]:
        modulus = self._key.public_key().public_numbers().n
        number = _base64url(modulus.to_bytes(256))
        return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": _KEY_ID, "e": "AQAB", "n": number}]}


def _handler(jwks: dict[str, Any]) -> type[http.server.BaseHTTPRequestHandler]:
    class Answers(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            issuer = "https://" + self.headers["Host"].split(":")[0]
            discovery = {
                "issuer": issuer,
                "jwks_uri": f"{issuer}/keys",
                "authorization_endpoint": f"{issuer}/auth",
                "token_endpoint": f"{issuer}/token",
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
            body = json.dumps(jwks if self.path == "/keys" else discovery).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Answers


class _Proxy(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    leads_to: tuple[Any, ...] = ()


class _Tunnel(socketserver.StreamRequestHandler):
    server: _Proxy

    def handle(self) -> None:
        method, _, rest = self.rfile.readline().decode().partition(" ")
        while self.rfile.readline().strip():
            pass
        if method != "CONNECT" or rest.partition(":")[0] not in HOSTS:
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return
        with socket.create_connection(self.server.leads_to) as behind:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                for ready in select.select([self.connection, behind], [], [])[0]:
                    piece = ready.recv(65536)
                    if not piece:
                        return
                    (behind if ready is self.connection else self.connection).sendall(piece)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
