"""TLS to a checked address: the certificate must be for the name that was asked, not for the address."""

from __future__ import annotations

import datetime as dt
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cgexplorer.oci.errors import Unreachable
from cgexplorer.oci.origin import Trusted
from cgexplorer.oci.transport import Patience, Transport

NAME = "registry.example"


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        body = self.headers["Host"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    today = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def asked_names() -> list[str | None]:
    return []


@pytest.fixture
def port(certificate: Path, asked_names: list[str | None]) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, name, _context: asked_names.append(name)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def transport(certificate: Path, *hosts: str) -> Transport:
    return Transport(
        trusted=Trusted(private=frozenset(hosts)),
        patience=Patience(sleep=lambda _: None, attempts=1),
        resolver=lambda *_: ["127.0.0.1"],
        tls=ssl.create_default_context(cafile=str(certificate)),
    )


def test_the_name_is_asked_for_and_proved_though_the_address_is_connected_to(
    certificate: Path, port: int, asked_names: list[str | None]
) -> None:
    host = f"{NAME}:{port}"
    with transport(certificate, host) as sender:
        answer = sender.send("GET", f"https://{host}/v2/", max_bytes=1000)
    assert answer.body.decode() == host
    assert asked_names == [NAME]


def test_another_name_at_the_same_address_does_not_ride_on_the_first_ones_connection(
    certificate: Path, port: int
) -> None:
    good, other = f"{NAME}:{port}", f"other.example:{port}"
    with transport(certificate, good, other) as sender:
        sender.send("GET", f"https://{good}/v2/", max_bytes=1000)
        with pytest.raises(Unreachable, match=r"certificate of other\.example"):
            sender.send("GET", f"https://{other}/v2/", max_bytes=1000)
