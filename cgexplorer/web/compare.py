"""/compare/: what changed between two images?"""

from __future__ import annotations

import shlex
from collections.abc import Sized
from urllib.parse import urlencode

import msgspec
from django import forms
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from cgexplorer.compare import Difference
from cgexplorer.store.queries import references
from cgexplorer.store.queries.compare import Comparison, compare
from cgexplorer.store.queries.references import UnknownReference
from cgexplorer.web import compare_report
from cgexplorer.web.differing import Marked, differing
from cgexplorer.web.reading import may_be_late
from cgexplorer.web.render import render_page
from cgexplorer.web.sources import commits_between

MAX_REFERENCE_CHARACTERS = 800
MAX_SHOWN_CHARACTERS = 600  # of one value; downloads have all of it


class Counter(msgspec.Struct, frozen=True):
    icon: str
    title: str
    number: int | None  # None: unknown
    anchor: str


class Changed(msgspec.Struct, frozen=True):
    """A value of both sides, only its differing part marked; None where a side has none."""

    path: str
    before: Marked | None
    after: Marked | None


def _changed(path: str, before: str | None, after: str | None) -> Changed:
    if before is None or after is None:
        whole = Marked("", (before or after or "")[:MAX_SHOWN_CHARACTERS])
        return Changed(path, whole if before is not None else None, whole if after is not None else None)
    sides = [
        # Nothing in common: all of it is what differs.
        marked if marked.other or marked.end else Marked("", marked.same)
        for marked in differing(before[:MAX_SHOWN_CHARACTERS], after[:MAX_SHOWN_CHARACTERS])
    ]
    return Changed(path, sides[0], sides[1])


class CompareForm(forms.Form):
    """`from` is a word of Python, so fields are named after what they hold."""

    before = forms.CharField(required=False, max_length=MAX_REFERENCE_CHARACTERS)
    after = forms.CharField(required=False, max_length=MAX_REFERENCE_CHARACTERS)
    platform = forms.CharField(required=False, max_length=64)
    to_platform = forms.CharField(required=False, max_length=64)

    @classmethod
    def of(cls, request: HttpRequest) -> CompareForm:
        asked = request.GET
        # The tags page marks two rows, and lists what moved last first: ?mark=name:18.4&mark=name:18.3
        marked = [*asked.getlist("mark")[:2][::-1], "", ""]
        return cls(
            {
                "before": asked.get("from") or marked[0],
                "after": asked.get("to") or marked[1],
                "platform": asked.get("platform", ""),
                "to_platform": asked.get("to-platform", ""),
            }
        )

    def comparison(self) -> Comparison:
        """Raises UnknownReference."""
        if not self.is_valid():
            raise UnknownReference(f"A reference has at most {MAX_REFERENCE_CHARACTERS} characters.")
        before, after = self.cleaned_data["before"], self.cleaned_data["after"]
        if not before or not after:
            raise UnknownReference("Two references are needed: the image to compare from and the one to compare to.")
        return compare(before, after, self.cleaned_data["platform"], self.cleaned_data["to_platform"])

    def at_fault(self) -> list[str]:
        """Fields whose reference is missing or names nothing stored; the platforms when both name something."""
        found = [name for name in ("before", "after") if not _names_something(self.data[name])]
        return found or ["platform", "to_platform"]

    @property
    def is_empty(self) -> bool:
        return not any(self.data.get(name) for name in ("before", "after"))

    def link(self, *, swap: bool = False, platform: str | None = None) -> str:
        before, after = self.data["before"], self.data["after"]
        platforms = self.data["platform"], self.data["to_platform"]
        if swap and all(platforms):
            platforms = platforms[1], platforms[0]
        asked = {
            "from": after if swap else before,
            "to": before if swap else after,
            "platform": platforms[0] if platform is None else platform,
            "to-platform": platforms[1] if platform is None else "",
        }
        return "?" + urlencode({name: value for name, value in asked.items() if value})


def _names_something(reference: str) -> bool:
    if not reference or len(reference) > MAX_REFERENCE_CHARACTERS:
        return False
    try:
        references.manifest(reference)
    except UnknownReference:
        return False
    return True


@require_safe
@may_be_late
def compare_page(request: HttpRequest) -> HttpResponse:
    form = CompareForm.of(request)
    context: dict[str, object] = {"form": form}
    if not form.is_empty:
        try:
            context |= _shown(form, form.comparison())
        except UnknownReference as error:
            context |= {"error": str(error), "at_fault": form.at_fault()}
    return render_page(request, "compare/compare.html", "differences", context)


def _counters(difference: Difference) -> list[Counter]:
    def number(of: str, some: Sized) -> int | None:
        return None if of in difference.unknown else len(some)

    found = [
        *_package_counters(difference),
        Counter("change", "Configuration", number("config", difference.config), "config"),
        Counter("change", "Provenance", number("provenance", difference.provenance), "provenance"),
        Counter("key", "Signer", int(difference.signer.before != difference.signer.after), "signer"),
    ]
    if moved := len(difference.platforms.added) + len(difference.platforms.removed):
        found.append(Counter("change", "Platforms", moved, "platforms"))
    return found


def _package_counters(difference: Difference) -> list[Counter]:
    if "packages" in difference.unknown:
        return [Counter("change", "Packages", None, "packages")]
    packages, licenses = difference.packages, difference.licenses
    found = [
        Counter("up", "Upgraded", len(packages.upgraded), "upgraded"),
        Counter("down", "Downgraded", len(packages.downgraded), "downgraded"),
        Counter("plus", "Added", len(packages.added), "added"),
        Counter("minus", "Removed", len(packages.removed), "removed"),
        Counter(
            "change",
            "Licences",
            len(packages.license_changed) + len(licenses.added) + len(licenses.removed),
            "licences",
        ),
    ]
    if packages.changed:
        found.insert(2, Counter("change", "Other versions", len(packages.changed), "changed"))
    return found


def _shown(form: CompareForm, found: Comparison) -> dict[str, object]:
    both = [name for name in found.before.platforms if name in found.after.platforms]
    asked = [found.before.reference, found.after.reference, "--platform", found.platform]
    if form.cleaned_data["to_platform"]:
        asked += ["--to-platform", form.cleaned_data["to_platform"]]
    return {
        "comparison": found,
        "difference": found.difference,
        "packages": found.difference.packages,
        "config": [_changed(one.path, one.before, one.after) for one in found.difference.config],
        "provenance": [_changed(one.path, one.before, one.after) for one in found.difference.provenance],
        "source": commits_between(*found.sources),
        "signer": _changed("signer", found.difference.signer.before, found.difference.signer.after),
        "counters": _counters(found.difference),
        "names": compare_report.names(found.difference),
        "headline": compare_report.headline(found.difference),
        "swap": form.link(swap=True),
        "query": form.link(),
        "platforms": [(name, form.link(platform=name)) for name in both if name],
        "command": "manage.py diff " + shlex.join(asked if found.platform else asked[:2]),
    }


@require_safe
@may_be_late
def compare_json(request: HttpRequest) -> HttpResponse:
    try:
        difference = CompareForm.of(request).comparison().difference
    except UnknownReference as error:
        return HttpResponse(msgspec.json.encode({"error": str(error)}), "application/json", status=404)
    return HttpResponse(difference.as_json(), content_type="application/json")


@require_safe
@may_be_late
def compare_csv(request: HttpRequest) -> HttpResponse:
    return _download(request, "csv")


@require_safe
@may_be_late
def compare_markdown(request: HttpRequest) -> HttpResponse:
    return _download(request, "md")


def _download(request: HttpRequest, kind: str) -> HttpResponse:
    try:
        difference = CompareForm.of(request).comparison().difference
    except UnknownReference as error:
        return HttpResponse(f"{error}\n", "text/plain; charset=utf-8", status=404)
    if kind == "csv":
        response = HttpResponse("".join(compare_report.as_csv(difference)), "text/csv; charset=utf-8")
    else:
        response = HttpResponse(compare_report.as_markdown(difference), "text/markdown; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="compare.{kind}"'
    return response
