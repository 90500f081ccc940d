"""Authorisation as registries want it: nothing, Basic, or a bearer token for each repository (distribution-spec)."""

from __future__ import annotations

import re
from threading import Lock
from typing import Annotated
from urllib.parse import urlencode

import msgspec

from cgexplorer.oci.docker_config import Credentials
from cgexplorer.oci.errors import Malformed, Unauthorized
from cgexplorer.oci.origin import netloc, split
from cgexplorer.oci.transport import USER_AGENT, Answer, Transport

MAX_TOKEN_BYTES = 1 << 20
_SHORTEST_LIFE_S, _LONGEST_LIFE_S = 60, 3600
_CHALLENGE = re.compile(r"(?:^|,)\s*(bearer|basic)(?=\s|,|$)", re.IGNORECASE)
_PARAMETER = re.compile(r'([A-Za-z_]+)\s*=\s*"((?:[^"\\]|\\.)*)"')
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=:-]+")
# Authorities that these registries are known to use. Any other place gets a request without credentials.
_KNOWN_REALMS = {"registry-1.docker.io": "auth.docker.io", "registry.gitlab.com": "gitlab.com"}


class _Token(msgspec.Struct):
    token: str | None = None
    access_token: str | None = None
    expires_in: Annotated[int, msgspec.Meta(ge=0, le=2**31)] | None = None


class Authorizer:
    """Keeps the authorisations of one registry. Credentials go to its own origin or its known token service only."""

    def __init__(
        self, transport: Transport, base: str, credentials: Credentials | None, token_service: str = ""
    ) -> None:
        self._transport, self._base, self._credentials = transport, base, credentials
        self._token_service = token_service or _KNOWN_REALMS.get(split(base)[1], "")
        self._lock = Lock()
        self._kept: dict[str, tuple[str, float]] = {}

    def header(self, repository: str) -> str:
        """What to send with a request about this repository, "" when nothing is known yet."""
        text, until = self._kept.get(repository, ("", 0.0))
        return text if until > self._transport.patience.clock() else ""

    def answer(self, refusal: Answer, repository: str, sent: str) -> str:
        """A new header after a 401. `Unauthorized` when the registry cannot be satisfied."""
        with self._lock:  # threads that were refused together share one token
            if (known := self.header(repository)) and known != sent:
                return known
            if split(refusal.url)[:3] != split(self._base)[:3]:
                raise Unauthorized(self._sentence("sends us to another host, which refuses us"))
            challenges = _challenges(refusal.headers.get("www-authenticate", ""))
            if "bearer" in challenges and self._credentials and self._credentials.is_bearer:
                text, life_s = f"Bearer {self._credentials.secret}", _LONGEST_LIFE_S
            elif "bearer" in challenges:
                text, life_s = self._bearer(challenges["bearer"], repository)
            elif "basic" in challenges and self._credentials:
                text, life_s = self._credentials.basic(), _LONGEST_LIFE_S
            else:
                raise Unauthorized(self._sentence("wants a user name and password"))
            if text == sent:
                raise Unauthorized(self._sentence("refuses the credentials"))
            self._kept[repository] = (text, self._transport.patience.clock() + life_s * 0.8)
            return text

    def check_password(self, refused: str) -> None:
        """Raises `Unauthorized` when the header that did not help was a user's name and password."""
        if refused.startswith("Basic "):
            raise Unauthorized(self._sentence("refuses the credentials"))

    def _bearer(self, challenge: dict[str, str], repository: str) -> tuple[str, int]:
        realm = challenge.get("realm", "")
        self._transport.origins.of(realm)  # refused before anything is sent
        scheme, host, _, parts = split(realm)
        if parts.fragment or (split(self._base)[0] == "https" and scheme != "https"):
            raise Unauthorized(self._sentence("names a token service that is not safe"))
        query = {"service": challenge.get("service", "")} if challenge.get("service") else {}
        query["scope"] = f"repository:{repository}:pull"  # never more than that, whatever the challenge says
        credentials = self._credentials if self._may_see_credentials(realm) else None
        if credentials and credentials.is_identity_token:
            form = {
                "grant_type": "refresh_token",
                "refresh_token": credentials.secret,
                "client_id": USER_AGENT,
                **query,
            }
            answer = self._transport.send("POST", realm, max_bytes=MAX_TOKEN_BYTES, form=form)
        else:
            url = realm + ("&" if parts.query else "?") + urlencode(query)
            authorization = credentials.basic() if credentials else ""
            answer = self._transport.send("GET", url, max_bytes=MAX_TOKEN_BYTES, authorization=authorization)
        if answer.status != 200:
            if self._credentials and not credentials:
                own, service = split(self._base)[1], netloc(*split(realm)[:3])
                raise Unauthorized(
                    f"The registry {own} gives no token for {repository}: its token service {service} answered "
                    f"{answer.status}. The credentials were not sent there, because it is another host. If it may "
                    "see them: manage.py add_registry --token-service"
                )
            raise Unauthorized(
                self._sentence(f"gives no token for {repository} (its token service {host} answered {answer.status})")
            )
        return _token(answer.body, host)

    def _may_see_credentials(self, realm: str) -> bool:
        scheme, host, port, _ = split(realm)
        own_scheme, own_host, own_port, _ = split(self._base)
        same = (scheme, host, port) == (own_scheme, own_host, own_port)
        return same or (scheme == own_scheme and netloc(scheme, host, port) == self._token_service)

    def _sentence(self, what: str) -> str:
        host = split(self._base)[1]
        advice = "Check the credentials." if self._credentials else "Add credentials for it."
        return f"The registry {host} {what}. Some registries say so of repositories that do not exist. {advice}"


def _challenges(header: str) -> dict[str, dict[str, str]]:
    """Scheme → parameters; several schemes may share one header."""
    starts = list(_CHALLENGE.finditer(header[:8192]))
    ends = [found.start() for found in starts[1:]] + [8192]
    return {
        found[1].lower(): {name.lower(): text for name, text in _PARAMETER.findall(header[found.end() : end])}
        for found, end in zip(starts, ends, strict=False)  # a header without any scheme has an end and no start
    }


def _token(body: bytes, host: str) -> tuple[str, int]:
    try:
        read = msgspec.json.decode(body, type=_Token)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        raise Malformed(f"The token service {host} did not answer with a token.") from None
    text = read.token or read.access_token or ""
    if not _TOKEN.fullmatch(text):
        raise Malformed(f"The token service {host} did not answer with a token.")
    life_s = _SHORTEST_LIFE_S if read.expires_in is None else read.expires_in
    return f"Bearer {text}", max(_SHORTEST_LIFE_S, min(life_s, _LONGEST_LIFE_S))
