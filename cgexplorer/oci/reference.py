"""Image references as people type them (grammar: distribution/reference; defaults: Docker's)."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address

import msgspec

from cgexplorer.oci import digest as digests
from cgexplorer.oci.errors import ReferenceError

DEFAULT_REGISTRY = "docker.io"
DEFAULT_TAG = "latest"
MAX_TEXT = 2048
MAX_NAME = 255  # registry and repository together
MAX_TAG = 128

_PREFIX = re.compile(r"(?:oci|docker|https)://", re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class Reference(msgspec.Struct, frozen=True):
    registry: str  # "cgr.dev", "localhost:5000"
    repository: str  # "chainguard/go"
    tag: str = ""  # "" only when a digest is given without a tag
    digest: str = ""  # "sha256:…" wins over the tag beside it

    @property
    def name(self) -> str:
        """`cgr.dev/chainguard/go`"""
        return f"{self.registry}/{self.repository}"

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse(text: str) -> Reference:
    """What `docker pull` would understand; `ReferenceError` names the part that is wrong.

    `alpine` is `docker.io/library/alpine:latest`. A copied `https://`, `docker://` or `oci://` in front does no harm.
    """
    typed = text.strip()
    if not typed:
        raise ReferenceError("An image reference is empty: type one like cgr.dev/chainguard/go:latest.")
    if len(typed) > MAX_TEXT:
        raise ReferenceError(f"This image reference is {len(typed)} characters long; at most {MAX_TEXT} are read.")
    if strange := next((c for c in typed if not "!" <= c <= "~"), None):
        raise ReferenceError(f"The character {strange!a} cannot be part of an image reference.")
    if typed.lower().startswith("http://"):
        raise ReferenceError("Leave out http:// in front: whether a registry may be asked without TLS is a setting.")
    rest, at, digest = _PREFIX.sub("", typed, count=1).partition("@")
    if at and not digests.is_digest(digest):
        raise ReferenceError(f"The digest {_quoted(digest)} is not sha256: and 64 lower-case hex digits.")
    rest, tag = _split_tag(rest)
    registry, repository = _split_registry(rest)
    _check_repository(repository)
    if len(registry) + len(repository) + 1 > MAX_NAME:
        raise ReferenceError(f"Registry and repository together are longer than {MAX_NAME} characters.")
    return Reference(registry, repository, tag or ("" if digest else DEFAULT_TAG), digest)


def parse_repository(text: str) -> Reference:
    """A repository alone, without tag or digest: `cgr.dev/chainguard/go`. Otherwise as `parse`."""
    reference = parse(text)
    if reference.digest or _split_tag(_PREFIX.sub("", text.strip(), count=1))[1]:
        raise ReferenceError(f"Name the repository alone, {reference.name}, without a tag or a digest.")
    return Reference(reference.registry, reference.repository)


def is_repository(text: str) -> bool:
    """Whether this is a repository name by the grammar of the distribution specification."""
    return len(text) <= MAX_NAME and all(_COMPONENT.fullmatch(part) for part in text.split("/"))


def is_tag(text: str) -> bool:
    return len(text) <= MAX_TAG and _TAG.fullmatch(text) is not None


def _split_tag(text: str) -> tuple[str, str]:
    head, colon, tag = text.rpartition(":")
    if not colon or "/" in tag or (tag.endswith("]") and "[" in head):
        return text, ""
    if not is_tag(tag):
        raise ReferenceError(
            f"The tag {_quoted(tag)} is not valid: at most {MAX_TAG} letters, digits, '.', '_' and '-', "
            "not starting with '.' or '-'."
        )
    return head, tag


def _split_registry(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    names_host = first == "localhost" or any(c in first for c in ".:[")
    if not slash or not names_host:
        return DEFAULT_REGISTRY, text if slash else f"library/{text}"
    host = check_host(first)
    if host in ("docker.io", "index.docker.io"):
        return DEFAULT_REGISTRY, rest if "/" in rest else f"library/{rest}"
    return host, rest


def check_host(text: str) -> str:
    """`host`, `host:port` or `[IPv6]:port`, in lower case; anything else is a `ReferenceError`."""
    parts = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(.*))?", text, re.DOTALL)
    if parts is None:
        raise ReferenceError(f"The registry {_quoted(text)} is not a host name or host:port.")
    host, port = parts[1], parts[2]
    if port is not None and not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise ReferenceError(f"The port {_quoted(port)} of the registry is not a number from 1 to 65535.")
    if host.startswith("["):
        try:
            host = f"[{IPv6Address(host[1:-1])}]"
        except AddressValueError as error:
            raise ReferenceError(f"The registry {_quoted(text)} is not a valid IPv6 address.") from error
        if "%" in host:
            raise ReferenceError(f"The registry {_quoted(text)} names a network interface; leave out the part from %.")
    elif len(host) > 253 or not _HOST.fullmatch(host) or any(len(label) > 63 for label in host.split(".")):
        raise ReferenceError(f"The registry {_quoted(text)} is not a host name or host:port.")
    return host.lower() + (f":{int(port)}" if port is not None else "")


def _check_repository(repository: str) -> None:
    for part in repository.split("/"):
        if _COMPONENT.fullmatch(part):
            continue
        if not part:
            raise ReferenceError(f"The repository {_quoted(repository)} has an empty part: look for a stray '/'.")
        hint = " It must be lower case." if part != part.lower() and _COMPONENT.fullmatch(part.lower()) else ""
        raise ReferenceError(f"The repository part {_quoted(part)} is not valid.{hint}")


def _quoted(text: str) -> str:
    return ascii(text if len(text) <= 80 else text[:77] + "...")
