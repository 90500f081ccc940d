"""A source that is a registry (OCI distribution-spec 1.1), asked as a hostile one would have to be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Self
from urllib.parse import urljoin

from cgexplorer.oci import digest as digests
from cgexplorer.oci import manifest, strict_json
from cgexplorer.oci.auth import Authorizer
from cgexplorer.oci.docker_config import Credentials
from cgexplorer.oci.docker_config import credentials as stored_credentials
from cgexplorer.oci.errors import (
    DigestMismatch,
    Malformed,
    NotFound,
    ReferenceError,
    Refused,
    TooLarge,
    Unauthorized,
    Unreachable,
)
from cgexplorer.oci.manifest import ACCEPTED_TYPES, MAX_MANIFEST_BYTES, OCI_INDEX, Descriptor, Manifest
from cgexplorer.oci.origin import Trusted, split
from cgexplorer.oci.patience import Patience
from cgexplorer.oci.reference import DEFAULT_REGISTRY, Reference, check_host, is_repository, is_tag
from cgexplorer.oci.transport import Answer, Transport
from cgexplorer.oci.turns import Turns

MAX_LIST_BYTES = 4 << 20
MAX_BLOB_BYTES = 32 << 20
MAX_PAGES = 200
MAX_TAGS = 100_000
MAX_REFERRERS = 100_000
_TAGS_AT_A_TIME = 1000
_ACCEPT = ", ".join(ACCEPTED_TYPES)
# 303: GHCR sends whoever asks for referrers to a page of github.com, which is no answer to the question.
_NO_REFERRERS_API = frozenset({303, 400, 404, 405, 406, 501})
_LINK = re.compile(r'<([^<>]*)>((?:\s*;\s*[^,;<>"=]+(?:=(?:"[^"]*"|[^,;<>"]*))?)*)')


def connect(
    reference_or_host: Reference | str,
    *,
    insecure: frozenset[str] = frozenset(),
    trusted: Trusted | None = None,
    credentials: Credentials | None = None,
    token_service: str = "",
    docker_config: Path | None = None,
    patience: Patience | None = None,
    turns: Turns | None = None,
) -> Registry:
    """The registry of a reference, or the one named `host[:port]`.

    `insecure` lists the hosts (spelled as in references) that are asked by plain http and may have private addresses;
    `trusted` says more. Without `credentials`, those of `docker_config` are used, which for Docker's own file is
    `docker_config.default_path()`. `token_service` is a host beside the registry's own that may see them.
    `turns` says when to ask, where other processes ask the same host.
    """
    host = check_host(reference_or_host) if isinstance(reference_or_host, str) else reference_or_host.registry
    patience = patience or Patience()
    known = credentials or stored_credentials(host, docker_config, stop=patience.stop)
    transport = Transport(trusted=trusted or Trusted(insecure), patience=patience, turns=turns)
    return Registry(host, transport, known, token_service=token_service)


class Registry:
    """One registry as a `Source`. Close it, or use it in a `with` statement. Several threads may ask at once."""

    kind = "registry"
    has_signature_tags = True

    def __init__(
        self,
        host: str,
        transport: Transport,
        credentials: Credentials | None = None,
        *,
        token_service: str = "",
        max_blob_bytes: int = MAX_BLOB_BYTES,
    ) -> None:
        self.host = host
        self.max_blob_bytes = max_blob_bytes
        scheme = "http" if host in transport.origins.trusted.insecure else "https"
        self._base = f"{scheme}://{'registry-1.docker.io' if host == DEFAULT_REGISTRY else host}"
        self._transport = transport
        self._authorizer = Authorizer(transport, self._base, credentials, token_service)
        self.answers_head: bool | None = None  # whether HEAD tells the truth; None: not known yet

    @property
    def requests(self) -> int:
        """How many were sent so far, tokens and retries included."""
        return self._transport.requests

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    @property
    def failure(self) -> Unreachable | None:
        """Of the last request that was given up: what was read is complete only without one."""
        return self._transport.failure

    def resolve(self, repository: str, tag: str) -> str:
        if not is_tag(tag):
            raise ReferenceError(f"{tag[:80]!a} is not a tag.")
        what = f"the tag {tag} of {self.host}/{repository}"
        head = None
        if self.answers_head is not False:
            head = self._ask("HEAD", repository, f"manifests/{tag}", what, MAX_MANIFEST_BYTES, _ACCEPT)
            told = head.headers.get("docker-content-digest", "")
            if head.status == 404 and self.answers_head:
                raise NotFound(f"The registry does not have {what}.")
            if head.status == 200 and digests.is_digest(told):
                self.answers_head = True
                return told
        # HEAD is refused (405, 403), says no digest (ECR once), or is 404 for what GET answers (Nexus): GET decides,
        # and tells whether the next 404 may be believed.
        try:
            found = self.manifest_of_tag(repository, tag)
        except NotFound:
            if head is not None and head.status == 404:
                self.answers_head = True
            raise
        self.answers_head = False
        return found.digest

    def manifest_of_tag(self, repository: str, tag: str) -> Manifest:
        if not is_tag(tag):
            raise ReferenceError(f"{tag[:80]!a} is not a tag.")
        what = f"the tag {tag} of {self.host}/{repository}"
        answer = self._good(self._ask("GET", repository, f"manifests/{tag}", what, MAX_MANIFEST_BYTES, _ACCEPT), what)
        found = digests.of(answer.body)
        if answer.headers.get("docker-content-digest", found) != found:
            raise DigestMismatch(f"The registry sent other bytes for {what} than it says.")
        try:
            return manifest.parse(answer.body, answer.headers.get("content-type", ""), found)
        except Malformed as error:
            raise Malformed(f"The registry's answer for {what}: {error}") from error

    def manifest(self, repository: str, digest: str) -> Manifest:
        _require_digest(digest)
        what = f"the manifest {digests.short(digest)} of {self.host}/{repository}"
        answer = self._ask("GET", repository, f"manifests/{digest}", what, MAX_MANIFEST_BYTES, _ACCEPT)
        return manifest.parse(self._good(answer, what).body, answer.headers.get("content-type", ""), digest)

    def blob(self, repository: str, digest: str, size: int) -> bytes:
        _require_digest(digest)
        if size > self.max_blob_bytes:
            raise TooLarge(f"{digests.short(digest)} has {size} bytes; at most {self.max_blob_bytes} are read.")
        what = f"the blob {digests.short(digest)} of {self.host}/{repository}"
        content = self._good(self._ask("GET", repository, f"blobs/{digest}", what, size), what).body
        if len(content) != size:
            raise DigestMismatch(f"The registry sent {len(content)} bytes for {what}; its manifest says {size}.")
        if digests.of(content) != digest:
            raise DigestMismatch(f"The registry sent other bytes for {what}.")
        return content

    def tags(self, repository: str) -> Iterator[str]:
        what = f"the tags of {self.host}/{repository}"
        seen: set[str] = set()
        path = f"tags/list?n={_TAGS_AT_A_TIME}"
        first = self._ask("GET", repository, path, what, MAX_LIST_BYTES)
        if first.status in (400, 405):  # fewer at a time, then: each registry has a limit, and its own way to say so
            path = "tags/list"
            first = self._ask("GET", repository, path, what, MAX_LIST_BYTES)
        for _ in range(MAX_PAGES):
            is_linked = bool(_next_page(first))
            for page in self._pages(repository, what, "*/*", first):
                listed = self._listed_tags(page, repository)
                fresh = [tag for tag in dict.fromkeys(listed) if tag not in seen]
                seen.update(fresh)
                if len(seen) > MAX_TAGS:
                    raise TooLarge(f"{self.host}/{repository} has more than {MAX_TAGS} tags.")
                yield from fresh
            # go-containerregistry (`crane registry serve`) cuts the list where it was told to, without a Link, and
            # begins anew after the last one.
            if is_linked or path == "tags/list" or len(listed) != _TAGS_AT_A_TIME or not fresh:
                return
            first = self._ask("GET", repository, f"{path}&last={listed[-1]}", what, MAX_LIST_BYTES)
        raise Malformed(f"The registry never ends {what}.")

    def _listed_tags(self, page: Answer, repository: str) -> list[str]:
        try:
            listed = strict_json.loads(page.body, max_bytes=MAX_LIST_BYTES).get("tags")
        except Malformed as error:
            raise Malformed(f"The registry's list of the tags of {self.host}/{repository}: {error}") from error
        tags = listed if isinstance(listed, list) else [] if listed is None else [listed]
        found = [tag for tag in tags if isinstance(tag, str) and is_tag(tag)]
        if len(found) != len(tags):
            raise Malformed(f"The registry lists something that is no tag of {self.host}/{repository}.")
        return found

    def referrers(self, repository: str, digest: str) -> tuple[Descriptor, ...]:
        """By the API where there is one, else by the fallback tag `sha256-<hex>`, which must be an index."""
        _require_digest(digest)
        what = f"the referrers of {digests.short(digest)} in {self.host}/{repository}"
        first = self._ask("GET", repository, f"referrers/{digest}", what, MAX_LIST_BYTES, OCI_INDEX)
        if first.status in _NO_REFERRERS_API:
            return self._fallback(repository, digest)
        try:
            manifest.descriptors(self._good(first, what).body)
        except Malformed:
            if first.headers.get("content-type", "").partition(";")[0].strip().lower() == OCI_INDEX:
                raise
            return self._fallback(repository, digest)  # a proxy's page of HTML with status 200 is no answer
        found: list[Descriptor] = []
        for page in self._pages(repository, what, OCI_INDEX, first):
            found.extend(manifest.descriptors(page.body))
            if len(found) > MAX_REFERRERS:
                raise TooLarge(f"The registry lists more than {MAX_REFERRERS} manifests as {what}.")
        return tuple(found)

    def _fallback(self, repository: str, digest: str) -> tuple[Descriptor, ...]:
        try:
            listed = self.manifest_of_tag(repository, digest.replace(":", "-"))
        except NotFound:
            return ()
        # GitLab and GHCR answer `sha256-<hex>` with the image itself. An index is not its own list of referrers.
        return () if listed.digest == digest else listed.children

    def _pages(self, repository: str, what: str, accept: str, first: Answer) -> Iterator[Answer]:
        """Page after page by `Link`, on this registry only, never the same twice."""
        seen: set[str] = set()
        answer = self._good(first, what)
        while True:
            yield answer
            url = _next_page(answer)
            if not url:
                return
            _, host, port, parts = split(url)
            _, own_host, own_port, _ = split(self._base)
            if host != own_host or port not in (own_port, 80, 443):
                raise Refused(f"The registry continues {what} on another host.")
            # Behind a proxy that ends TLS, registries name themselves by http: the path is what counts.
            url = f"{self._base}{parts.path}{'?' if parts.query else ''}{parts.query}"
            if url in seen or len(seen) >= MAX_PAGES:
                raise Malformed(f"The registry never ends {what}.")
            seen.add(url)
            answer = self._good(self._ask_url("GET", url, repository, what, MAX_LIST_BYTES, accept), what)

    def _ask(self, method: str, repository: str, path: str, what: str, max_bytes: int, accept: str = "*/*") -> Answer:
        if not is_repository(repository):
            raise ReferenceError(f"{repository[:80]!a} is not a repository name.")
        return self._ask_url(method, f"{self._base}/v2/{repository}/{path}", repository, what, max_bytes, accept)

    def _ask_url(self, method: str, url: str, repository: str, what: str, max_bytes: int, accept: str) -> Answer:
        see_other = "/referrers/" not in url
        send = partial(self._transport.send, method, url, max_bytes=max_bytes, accept=accept, see_other=see_other)
        sent = self._authorizer.header(repository)
        answer = send(authorization=sent)
        if answer.status == 401:
            sent = self._authorizer.answer(answer, repository, sent)
            answer = send(authorization=sent)
            if answer.status == 401:
                self._authorizer.check_password(sent)
        if answer.status == 401 or (answer.status == 403 and method != "HEAD"):
            raise Unauthorized(
                f"The registry {self.host} does not let us read {what} (it answered {answer.status}). "
                "Some registries say so of repositories that do not exist."
            )
        return answer

    def _good(self, answer: Answer, what: str) -> Answer:
        if answer.status == 404:
            raise NotFound(f"The registry does not have {what}.")
        if answer.status >= 500:
            raise Unreachable(f"The registry {self.host} answered {answer.status} when asked for {what}.")
        if answer.status != 200:
            raise Malformed(f"The registry {self.host} answered {answer.status} when asked for {what}.")
        return answer


def _next_page(answer: Answer) -> str:
    for target, parameters in _LINK.findall(answer.headers.get("link", "")[:8192]):
        if re.search(r';\s*rel="?next"?\s*(?:;|$)', parameters, re.IGNORECASE):
            return urljoin(answer.url, str(target))
    return ""


def _require_digest(digest: str) -> None:
    if not digests.is_digest(digest):
        raise ReferenceError(f"{digest[:80]!a} is not a sha256 digest.")
