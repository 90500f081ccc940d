"""Where an image was built from, and links to it. Only https links to GitHub are made; everything else stays text."""

from __future__ import annotations

import re
from urllib.parse import quote

import msgspec
from packageurl import PackageURL

from cgexplorer.predicates.slsa import Provenance
from cgexplorer.spdx.document import Package
from cgexplorer.store.models import Evidence

_GITHUB = re.compile(
    r"(?:git\+)?https://github\.com/([A-Za-z0-9._-]{1,100})/([A-Za-z0-9._-]{1,100}?)(?:\.git)?(?:[@#/].*)?"
)
_GITHUB_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_VCS_URL = re.compile(
    r"git\+(?P<repository>https://(?P<host>github\.com|gitlab\.[A-Za-z0-9.-]+)/[A-Za-z0-9._/-]+?)(?:\.git)?"
    r"@(?P<commit>[0-9a-f]{40})"
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


def source_link(package: Package) -> str:
    """Where a build definition or an upstream source can be read, at its commit; "" when no link can be made."""
    for text in package.purls:
        try:
            purl = PackageURL.from_string(text)
        except ValueError:
            continue
        qualifiers = purl.qualifiers if isinstance(purl.qualifiers, dict) else {}
        found = _on_github(purl) or _by_vcs_url(qualifiers.get("vcs_url", ""))
        if found:
            return found
    location = package.download_location.removeprefix("git+")
    return location if location.startswith("https://") and is_link(location) else ""


def _on_github(purl: PackageURL) -> str:
    parts = (purl.namespace or "", purl.name)
    if purl.type != "github" or not all(_GITHUB_NAME.fullmatch(part) and part != ".." for part in parts):
        return ""
    kind = "blob" if purl.subpath else "tree"
    inside = f"/{kind}/{quote(purl.version)}/{quote(purl.subpath or '')}".rstrip("/") if purl.version else ""
    return f"https://github.com/{'/'.join(parts)}{inside}"


def _by_vcs_url(text: str) -> str:
    """`git+https://gitlab.com/gnutools/gcc.git@6afcc4f6…`, as apko writes it. Source: purl-spec, vcs_url."""
    match = _VCS_URL.fullmatch(text)
    if match is None or not is_link(match["repository"]):
        return ""
    return f"{match['repository']}{'/-' if 'gitlab' in match['host'] else ''}/tree/{match['commit']}"


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
