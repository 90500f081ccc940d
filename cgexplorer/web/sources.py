"""Where an image was built from, and links to it. Only https links to GitHub are made; everything else stays text."""

from __future__ import annotations

import re

import msgspec

from cgexplorer.predicates.slsa import Provenance
from cgexplorer.store.models import Evidence

_GITHUB = re.compile(
    r"(?:git\+)?https://github\.com/([A-Za-z0-9._-]{1,100})/([A-Za-z0-9._-]{1,100}?)(?:\.git)?(?:[@#/].*)?"
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REPOSITORY = "Source Repository URI"
_DIGEST = "Source Repository Digest"


class Source(msgspec.Struct, frozen=True):
    name: str  # "chainguard-images/images", else the URI as written
    link: str  # "" when it is no repository on GitHub
    commit: str
    stated_by: str


def source(provenance: Provenance, evidence: Evidence) -> Source:
    """As the statement says; when it names no source, as the certificate of its signer says."""
    if provenance.source_uri or provenance.source_digest:
        return _source(provenance.source_uri, provenance.source_digest, "as the statement says")
    certificate = (evidence.verdict.certificate if evidence.verdict else None) or {}
    extensions = {one["name"]: one["value"] for one in certificate.get("extensions", ())}
    if _REPOSITORY in extensions or _DIGEST in extensions:
        said = "from the certificate of the signer; the statement itself names no source"
        return _source(extensions.get(_REPOSITORY, ""), extensions.get(_DIGEST, ""), said)
    return Source("", "", "", "neither the statement nor the certificate names one")


def _source(uri: str, commit: str, stated_by: str) -> Source:
    match = _GITHUB.fullmatch(uri)
    if match is None or ".." in (match[1], match[2]):
        return Source(uri, "", commit, stated_by)
    link = f"https://github.com/{match[1]}/{match[2]}"
    if _COMMIT.fullmatch(commit):
        link += f"/commit/{commit}"
    return Source(f"{match[1]}/{match[2]}", link, commit, stated_by)


def commits_between(before: tuple[str, str], after: tuple[str, str]) -> Source | None:
    """The commits from one (repository, commit) to another; None unless both are of one repository on GitHub."""
    (uri, first), (other, last) = before, after
    match = _GITHUB.fullmatch(uri)
    if uri != other or first == last or match is None or not (_COMMIT.fullmatch(first) and _COMMIT.fullmatch(last)):
        return None
    found = _source(uri, last, "from the certificates of the signers")
    link = found.link.rpartition("/commit/")[0]
    return Source(found.name, f"{link}/compare/{first}...{last}", f"{first[:8]}…{last[:8]}", found.stated_by)


def is_link(text: str) -> bool:
    """Whether this text may be a link: http(s) to a host, nothing that a browser would run."""
    return (
        re.fullmatch(r"https?://[A-Za-z0-9.-]+(?::\d{1,5})?(?:/[^\s<>\"'\\]*)?", text) is not None and len(text) < 2000
    )
