"""/packages/: where is this package?"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterable
from itertools import groupby
from urllib.parse import urlencode

import msgspec
from django import forms
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from cgexplorer import export
from cgexplorer.spdx.purl import INSTALLED_TYPES, MODULE_TYPES, full_name
from cgexplorer.spdx.query import MAX_CHARACTERS, Query, QueryError, Scope, parse
from cgexplorer.store.queries.rows import one_snapshot
from cgexplorer.store.queries.search import MAX_EXPORT_ROWS, Answer, Hit, Position, search
from cgexplorer.web import narrowing, positions, search_evidence, search_report
from cgexplorer.web.component_path import component_path
from cgexplorer.web.evidence import MEMORY_BYTES
from cgexplorer.web.reading import may_be_late
from cgexplorer.web.render import render_page

ROWS_A_PAGE = 100
TYPES = ("apk", "deb", "rpm", "golang", "npm", "pypi", "maven", "gem", "cargo")


class SearchForm(forms.Form):
    """What the page was asked, as typed. `parse` makes a Query of it, so the command and the page cannot disagree."""

    q = forms.CharField(required=False, max_length=MAX_CHARACTERS, label="Package")
    v = forms.CharField(required=False, max_length=MAX_CHARACTERS, label="version")
    type = forms.CharField(required=False, max_length=32, label="type")
    scope = forms.ChoiceField(
        required=False, choices=[("current", "current tags"), ("all", "all digests, also old ones")], label="Scope"
    )
    unverified = forms.BooleanField(required=False, label="include unverified")
    part = forms.BooleanField(required=False, label="names that contain it")

    def query(self) -> Query:
        """Raises QueryError."""
        if not self.is_valid():
            raise QueryError(" ".join(str(error) for errors in self.errors.values() for error in errors))
        return parse(self.cleaned_data["q"], self.cleaned_data["v"], self.cleaned_data["type"])

    def answer(self, limit: int, after: Position | None = None, *, with_facets: bool = False) -> Answer:
        asked = self.query()
        scope: Scope = "all" if self.cleaned_data["scope"] == "all" else "current"
        return search(
            asked,
            scope=scope,
            include_unverified=self.cleaned_data["unverified"],
            by_part=self.cleaned_data["part"],
            after=after,
            limit=limit,
            with_facets=with_facets,
        )

    @property
    def is_empty(self) -> bool:
        return not any(self.data.get(name) for name in ("q", "v"))

    @property
    def type_choices(self) -> tuple[str, ...]:
        asked = self.data.get("type", "")
        return TYPES if asked in ("", *TYPES) or asked not in INSTALLED_TYPES | MODULE_TYPES else (*TYPES, asked)

    @property
    def wider(self) -> list[tuple[str, str]]:
        """Searches that may find what this one did not: what to call each, and its link."""
        asked = [("Any version of it", {"v": "", "q": self.query().name})] if self.query().versions else []
        asked += [(f"Names that contain “{self.query().name}”", {"part": "1"})] if self._can_match_part() else []
        asked += [("All digests, also old ones", {"scope": "all"})] if self.data.get("scope") != "all" else []
        asked += [("Unverified SBOMs too", {"unverified": "1"})] if not self.data.get("unverified") else []
        return [(what, self.link(**changes)) for what, changes in asked]

    def _can_match_part(self) -> bool:
        return not self.data.get("part") and self.query().can_match_part

    def link(self, **changes: str) -> str:
        """The query string with some parameters changed; paging begins again."""
        asked = dict(self.asked) | changes
        return "?" + urlencode({name: value for name, value in asked.items() if value})

    @property
    def asked(self) -> list[tuple[str, str]]:
        """What was asked, as parameters."""
        names = ("q", "v", "type", "scope", "unverified", "part")
        return [(name, value) for name in names if (value := self.data.get(name, ""))]


class Group(msgspec.Struct, frozen=True):
    """Rows of one version of one package, as far as they are on this page."""

    ecosystem: str
    name: str
    namespace: str
    version: str
    hits: tuple[Hit, ...]

    @property
    def full_name(self) -> str:
        return full_name(self.ecosystem, self.namespace, self.name)

    @property
    def path(self) -> str:
        return component_path(self.ecosystem, self.namespace, self.name, self.version)

    @property
    def built_from(self) -> str:
        return self.hits[0].built_from if self.hits[0].matched_by == "built from" else ""


def groups(hits: Iterable[Hit]) -> list[Group]:
    def version(hit: Hit) -> tuple[str, str, str, str]:
        return hit.ecosystem, hit.name, hit.namespace, hit.version

    return [Group(*key, tuple(some)) for key, some in groupby(hits, key=version)]


@require_safe
@may_be_late
def package_search(request: HttpRequest) -> HttpResponse:
    form = SearchForm(request.GET)
    context: dict[str, object] = {"form": form, "q": request.GET.get("q", "")}
    if not form.is_empty:
        try:
            after = positions.parse(request.GET.get("after", ""))
            context |= _shown(form, form.answer(ROWS_A_PAGE, after, with_facets=True))
        except QueryError as error:
            context["error"] = str(error)
    return render_page(request, "search/search.html", "rows", context)


def _shown(form: SearchForm, answer: Answer) -> dict[str, object]:
    after = positions.text(answer.after)
    return {
        "answer": answer,
        "subject": search_report.subject(answer),
        "found": search_report.found(answer),
        "blind": search_report.blind(answer),
        "groups": groups(answer.hits),
        "unordered": groups(answer.unordered),
        "next": form.link(after=after) if after else "",
        "command": _command(form, answer, "search"),
        "keep": _command(form, answer, "save_search NAME"),
        "narrower": narrowing.groups(answer.facets, form.cleaned_data["q"], form.link),
        "removable": narrowing.removable(form.cleaned_data["q"], form.link),
        "like_it": narrowing.like_it(answer.names.like_it, form.link),
        "hint": search_report.hint(answer),
    }


def _command(form: SearchForm, answer: Answer, verb: str) -> str:
    asked = " ".join(filter(None, (form.cleaned_data["q"], form.cleaned_data["v"])))
    options = [
        f"--type {form.cleaned_data['type']}" if form.cleaned_data["type"] else "",
        f"--scope {answer.scope}",
        "--include-unverified" if answer.include_unverified else "",
        "--contains" if form.cleaned_data["part"] else "",
    ]
    return " ".join([f"manage.py {verb}", shlex.quote(asked), *filter(None, options)])


@require_safe
@may_be_late
def package_search_json(request: HttpRequest) -> HttpResponse:
    try:
        answer = SearchForm(request.GET).answer(MAX_EXPORT_ROWS, positions.parse(request.GET.get("after", "")))
    except QueryError as error:
        return HttpResponse(msgspec.json.encode({"error": str(error)}), "application/json", status=400)
    return HttpResponse(search_report.as_json(answer), content_type="application/json")


@require_safe
@may_be_late
def package_search_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """As many rows as one file holds. Of more its name says so, and the header Link has the address of the next."""
    form = SearchForm(request.GET)
    try:
        answer = form.answer(MAX_EXPORT_ROWS, positions.parse(request.GET.get("after", "")))
    except QueryError as error:
        return HttpResponse(f"{error}\n", "text/plain; charset=utf-8", status=400)
    response = StreamingHttpResponse(search_report.as_csv(answer), "text/csv; charset=utf-8")
    name = "packages.csv"
    if answer.after is not None:
        name = f"packages-only-{len(answer.hits)}-rows.csv"
        following = f"{reverse('package-search-csv')}{form.link(after=positions.text(answer.after))}"
        response["Link"] = f'<{following}>; rel="next"'
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_safe
def package_search_evidence(request: HttpRequest) -> HttpResponse | FileResponse:
    """All hits with what proves them, as one file."""
    if request.method == "HEAD":
        return HttpResponse(content_type="application/zip")  # nobody would read what takes seconds to write
    file = tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES)  # noqa: SIM115  (the response closes it)
    try:
        with one_snapshot():
            answer = SearchForm(request.GET).answer(MAX_EXPORT_ROWS)
            search_evidence.write(answer, file, search_evidence.MAX_DIGESTS_OF_A_PAGE)
    except (QueryError, search_evidence.TooMany, export.TooLarge) as error:
        file.close()
        status = 400 if isinstance(error, QueryError) else 413
        return HttpResponse(f"{error}\n", "text/plain; charset=utf-8", status=status)
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename="packages-evidence.zip", content_type="application/zip")
