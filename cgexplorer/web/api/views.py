"""The questions. Each is answered by what answers its page."""

from __future__ import annotations

from typing import Literal

import msgspec
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from ninja.params.functions import Query

from cgexplorer.compare import Difference
from cgexplorer.drift import Kind
from cgexplorer.spdx.document import Role
from cgexplorer.spdx.query import QueryError
from cgexplorer.store.queries import manifests
from cgexplorer.store.queries.search import MAX_EXPORT_ROWS
from cgexplorer.verify.report import Report
from cgexplorer.verify.verdict import State
from cgexplorer.web import (
    compare,
    component,
    digest_report,
    drift,
    history,
    images,
    packages,
    positions,
    search_report,
    verification,
)
from cgexplorer.web.api import shapes
from cgexplorer.web.api.questions import question
from cgexplorer.web.search import SearchForm

DIGEST = "/digests/{image:name}@{digest:digest}"
_PART = "only those whose name contains this"


@question("/search", "api-search", shapes.Search, late=True)
def search(
    request: HttpRequest,
    q: str = Query("", description="as on the page: name, name<version, vers: range, purl, CPE; license: and so on"),
    v: str = Query("", description="a range of versions, when q has none"),
    type: str = Query("", description="package type, such as apk, deb, golang"),
    scope: Literal["current", "all"] = Query("current", description="what tags point to, or all digests"),
    unverified: bool = Query(False, description="also SBOMs that are not verified"),
    part: bool = Query(False, description="also names that only contain q"),
    limit: int = Query(MAX_EXPORT_ROWS, ge=1, le=MAX_EXPORT_ROWS, description="rows of results"),
    after: str = Query("", description="next of the answer before, to go on behind it"),
) -> HttpResponseBase:
    """Where is this package?

    The answer of the page /packages/ and of manage.py search, with the universe that was searched.
    """
    begin = positions.parse(after)
    if after and begin is None:
        raise QueryError("`after` has to be `next` of an answer.")
    form = SearchForm({"q": q, "v": v, "type": type, "scope": scope, "unverified": unverified, "part": part})
    return _json(search_report.as_json(form.answer(limit, begin)))


@question("/packages/{str:ecosystem}/{path:path}", "api-package", shapes.Versions, may_miss=True, late=True)
def package(request: HttpRequest, ecosystem: str, path: str) -> HttpResponseBase:
    """The versions of one package, and how many images hold each.

    The path is namespace and name, with their slashes: apk/wolfi/openssl, golang/github.com/spf13/cobra. The type of
    packages without a purl is -. Who holds it: /search with its purl.
    """
    return component.versions_answer(component.named(ecosystem, path)[0])


@question("/images", "api-images", shapes.Images)
def image_list(
    request: HttpRequest,
    q: str = Query("", description=_PART),
    state: State | None = Query(None, description="only those in this state"),
) -> HttpResponseBase:
    """The images that are stored."""
    return images.image_list_json(request)


@question("/images/{image:name}/tags", "api-tags", shapes.Tags, may_miss=True)
def tags(request: HttpRequest, name: str, q: str = Query("", description=_PART)) -> HttpResponseBase:
    """The tags of an image, and what is known of what each points to.

    The name is written with its slashes: cgr.dev/chainguard/go.
    """
    return images.tag_list_json(request, name)


@question("/images/{image:name}/tags/{tag:tag}", "api-tag", shapes.Timeline, may_miss=True)
def tag(request: HttpRequest, name: str, tag: str) -> HttpResponseBase:
    """Every digest that a tag was seen at, the newest first."""
    return history.timeline_json(request, name, tag)


@question(DIGEST, "api-digest", digest_report.DigestReport, may_miss=True)
def digest(request: HttpRequest, name: str, digest: str) -> HttpResponseBase:
    """One digest: platform, tags, verdict, SBOM.

    cgr.dev/chainguard/go@sha256:…, as the permalink of its page has it.
    """
    return _json(msgspec.json.encode(digest_report.report(manifests.manifest(name, digest))))


@question(f"{DIGEST}/packages", "api-digest-packages", shapes.Packages, may_miss=True)
def digest_packages(
    request: HttpRequest,
    name: str,
    digest: str,
    q: str = Query("", description=_PART),
    type: str = Query("", description="package type, such as apk"),
    license: str = Query("", description="licence expression"),
    role: Role | Literal["all"] | None = Query(None, description="without it: what is installed, and modules in that"),
    sort: Literal["name", "version", "license", "built-from"] = Query("name"),
) -> HttpResponseBase:
    """What is in it, as its SBOM says."""
    return packages.package_list_json(request, name, digest)


@question(f"{DIGEST}/verification", "api-verification", Report, may_miss=True)
def verification_report(
    request: HttpRequest, name: str, digest: str, run: int | None = Query(None, description="not the newest")
) -> HttpResponseBase:
    """Every check of every signature and attestation of a digest."""
    return verification.verification_json(request, name, digest, run)


@question("/diff", "api-diff", Difference, may_miss=True, late=True)
def diff(
    request: HttpRequest,
    before: str = Query(..., alias="from", description="reference or digest; name:tag~1 is what the tag meant before"),
    after: str = Query(..., alias="to", description="reference or digest"),
    platform: str = Query("", description="such as linux/arm64"),
    to_platform: str = Query("", alias="to-platform", description="of to, when it is another"),
) -> HttpResponseBase:
    """What changed between two images?"""
    return _json(compare.CompareForm.of(request).comparison().difference.as_json())


@question("/drift", "api-drift", shapes.Drift)
def drift_events(
    request: HttpRequest,
    kind: Kind | None = Query(None, description="of this kind only"),
    image: str = Query("", description="of the image of this name only"),
    search: str = Query("", description="of the saved search of this name only"),
    acknowledged: Literal["yes", "no"] | None = Query(None, description="only those that somebody knows of, or nobody"),
    before: int | None = Query(None, ge=1, description="next of the answer before, to go on behind it"),
    limit: int = Query(MAX_EXPORT_ROWS, ge=1, le=MAX_EXPORT_ROWS, description="events"),
) -> HttpResponseBase:
    """What is not as it was, the newest first."""
    return drift.drift_answer(request.GET, before=min(before, drift.MAX_ID) if before else None, limit=limit)


def _json(body: bytes) -> HttpResponse:
    return HttpResponse(body, content_type="application/json")
