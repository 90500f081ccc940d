"""A token service as registries name it in `realm`: a password for the user, a signed token for one repository."""

from __future__ import annotations

import base64
import datetime as dt
import json
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.fakes.registry import listening

SERVICE, ISSUER = "peers", "cgexplorer's tests"


class TokenService:
    """`with TokenService("robot", "password") as service:` listens on `service.host`; docker-registry trusts it with
    `service.configuration(folder)`. Tokens are JWTs as the registry's own documentation of tokens has them."""

    def __init__(self, user: str, password: str) -> None:
        self.asked: list[tuple[str, str]] = []  # query, Authorization
        self.password = password
        self._user = user
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _self_signed(self._key)
        self._server = listening(self._handler())
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def configuration(self, folder: Path) -> str:
        """What docker-registry has to be told."""
        bundle = folder / "tokens.pem"
        bundle.write_bytes(self._certificate.public_bytes(Encoding.PEM))
        where = {"realm": f"http://{self.host}/token", "rootcertbundle": str(bundle)}
        return f"auth: {json.dumps({'token': {**where, 'service': SERVICE, 'issuer': ISSUER}})}\n"  # JSON is YAML

    def token(self, repository: str, *actions: str) -> str:
        now = int(dt.datetime.now(dt.UTC).timestamp())
        x5c = [base64.b64encode(self._certificate.public_bytes(Encoding.DER)).decode()]
        claims = {
            **{"iss": ISSUER, "sub": self._user, "aud": SERVICE, "jti": str(len(self.asked))},
            **{"iat": now, "nbf": now - 5, "exp": now + 300},
            "access": [{"type": "repository", "name": repository, "actions": list(actions)}],
        }
        signed = f"{_part({'typ': 'JWT', 'alg': 'ES256', 'x5c': x5c})}.{_part(claims)}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_url_safe(r.to_bytes(32) + s.to_bytes(32))}"

    def answer(self, query: str, authorization: str) -> tuple[int, dict[str, Any]]:
        self.asked.append((query, authorization))
        expected = base64.b64encode(f"{self._user}:{self.password}".encode()).decode()
        if authorization != f"Basic {expected}":
            return 401, {"errors": [{"code": "UNAUTHORIZED"}]}
        kind, _, rest = parse_qs(query)["scope"][0].partition(":")
        repository, _, actions = rest.rpartition(":")
        assert kind == "repository"
        return 200, {"token": self.token(repository, *actions.split(",")), "expires_in": 300}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                status, body = service.answer(urlsplit(self.path).query, self.headers.get("Authorization", ""))
                raw = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

        return Handler


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tokens")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    return builder.add_extension(constraints, critical=True).sign(key, hashes.SHA256())


def _part(body: dict[str, Any]) -> str:
    return _url_safe(json.dumps(body).encode())


def _url_safe(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
