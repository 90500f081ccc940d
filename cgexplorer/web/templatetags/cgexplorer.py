"""The small pieces that every page uses: one function, one component. All text goes through `format_html`."""

from __future__ import annotations

import datetime as dt
import re
from functools import cache
from urllib.parse import urlencode, urlsplit

from django import template
from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from cgexplorer import predicates
from cgexplorer.oci.digest import is_digest
from cgexplorer.spdx.document import CONTENTS, Package, Role
from cgexplorer.store.models import DriftEvent, Manifest, Sbom, VerificationRun
from cgexplorer.store.queries import manifests
from cgexplorer.store.queries.coverage import CoverageRow
from cgexplorer.store.queries.manifests import Subject
from cgexplorer.store.record import follows
from cgexplorer.verify import keys
from cgexplorer.web import drift_report, sbom_forms, sources, words
from cgexplorer.web.component_path import component_path

register = template.Library()

_STEPS = (
    (dt.timedelta(days=365.25), "year", "years"),
    (dt.timedelta(days=30.4375), "month", "months"),
    (dt.timedelta(days=1), "day", "days"),
    (dt.timedelta(hours=1), "h", "h"),
    (dt.timedelta(minutes=1), "min", "min"),
)
NO_BREAK = mark_safe("<wbr>")
MAX_LINKED_CHARACTERS = 180  # a search has no more
_SOURCES = (Role.BUILD_DEFINITION, Role.UPSTREAM)
_GROUP = mark_safe(' class="g"')


@register.simple_tag
def icon(name: str, more: str = "") -> SafeString:
    """A picture of the page's `sprite`. It says nothing that the text beside it does not."""
    classes = f"i {more}".strip()
    return format_html('<svg class="{}" aria-hidden="true"><use href="#i-{}"/></svg>', classes, name or "no-policy")


@register.simple_tag
@cache
def sprite() -> SafeString:
    """All pictures, once in each page: a file of their own would be a request of its own. A file of ours, so safe."""
    text = (settings.BASE_DIR / "templates" / "sprite.svg").read_text()
    return mark_safe("".join(re.sub("<!--.*?-->", "", text).splitlines()).replace('id="', 'id="i-'))  # noqa: S308


@register.simple_tag
def badge(state: str, href: str = "") -> SafeString:
    """A state: shape, word, colour."""
    inner = format_html("{}{}", icon(state or "not-run"), words.state_words(state))
    if href:
        return format_html('<a class="badge" data-s="{}" href="{}">{}</a>', state, href, inner)
    return format_html('<span class="badge" data-s="{}">{}</span>', state, inner)


@register.filter
def key_blocks(pem: str) -> tuple[str, ...]:
    """The keys of a policy, one by one."""
    return keys.blocks(pem)


@register.filter
def interval(seconds: int) -> str:
    return follows.interval(seconds)


@register.filter
def field_words(name: str) -> str:
    """`image_syncer` as people read it."""
    return name.replace("_", " ")


@register.filter
def state_words(state: str) -> str:
    return words.state_words(state)


@register.filter
def format_words(form: str) -> str:
    """`cyclonedx` → "CycloneDX"."""
    return sbom_forms.format_words(form)


@register.filter
def relation_words(kind: str) -> str:
    """How an element is told from the one above it."""
    return {"CONTAINS": "contained in the one above", "IMPLIED_CONTAINS": "listed beside it"}.get(
        kind, "needed by the one above"
    )


@register.simple_tag
def source_link(package: Package) -> SafeString:
    """A build definition or source where it can be read; nothing for other packages."""
    link = sources.source_link(package) if package.role in _SOURCES else ""
    return format_html(' <a href="{}" rel="noopener noreferrer nofollow">read it</a>', link) if link else mark_safe("")


@register.simple_tag
def license_link(expression: str) -> SafeString:
    """An expression, leading to the packages that have it."""
    shown = cut(expression, 300)
    if '"' in expression or len(expression) > MAX_LINKED_CHARACTERS:
        return format_html("<b>{}</b>", shown)
    said = f'license:"{expression}"' if " " in expression else f"license:{expression}"
    return format_html('<a href="{}?{}">{}</a>', reverse("package-search"), urlencode({"q": said}), shown)


@register.simple_tag
def sbom_url(manifest: Manifest, sbom: Sbom) -> str:
    """Where the bytes of the SBOM that a page shows can be had."""
    name = "cyclonedx-document" if sbom.format == "cyclonedx" else "sbom-document"
    return reverse(name, args=[manifest.image.name, manifest.digest])


@register.filter
def state_means(state: str) -> str:
    return words.MEANS.get(state, "No run has looked at it yet.")


@register.simple_tag
def digest(text: str, href: str = "") -> SafeString:
    """A digest or another long hex text, shortened in the middle, with a button that copies all of it."""
    short = shorten(text)
    code: SafeString = format_html('<code title="{}">{}</code>', text, short)
    if href:
        code = format_html('<a href="{}">{}</a>', href, code)
    return format_html('<span class="dg">{}{}</span>', code, copy(text, f"Copy {short}"))


@register.simple_tag
def copy(text: str, label: str) -> SafeString:
    return format_html(
        '<button class="copy" type="button" data-copy="{}" aria-label="{}">{}</button>', text, label, icon("copy")
    )


@register.filter
def shorten(text: str) -> str:
    """`sha256:c455ec15…e5f7b8`: the first part tells apart, the end lets a person compare."""
    algorithm, colon, hexadecimal = text.rpartition(":")
    return text if len(hexadecimal) <= 20 else f"{algorithm}{colon}{hexadecimal[:8]}…{hexadecimal[-6:]}"


@register.simple_tag
def purl(ecosystem: str, name: str, version: str = "", href: str = "") -> SafeString:
    """Type chip, bold name, version."""
    bold: SafeString = format_html("<b>{}</b>", name)
    if href:
        bold = format_html('<a href="{}">{}</a>', href, bold)
    chip = format_html('<span class="t">{}</span> ', ecosystem) if ecosystem else ""
    tail = format_html(' <code title="{}">{}</code>', version, _short_version(version)) if version else ""
    return format_html('<span class="purl">{}{}{}</span>', chip, bold, tail)


def _short_version(version: str) -> str:
    """Go's pseudo-versions are shortened in the middle, like digests."""
    return version if len(version) < 28 else f"{version[:16]}…{version[-7:]}"


@register.simple_tag
def signer(identity: str, brief: bool = False) -> SafeString:
    """A signer as people read it: repository, workflow @ branch. The full identity is in the title."""
    path = identity.removeprefix("https://github.com/")
    repository, workflow, rest = path.partition("/.github/workflows/")
    if path == identity or not workflow:
        return format_html('<span title="{}">{}</span>', identity, identity)
    if brief:
        return format_html('<span title="{}">{}</span>', identity, repository)
    file, _, ref = rest.partition("@")
    return format_html(
        '<span title="{}"><b>{}</b> <span class="soft">{} @ {}</span></span>',
        identity, repository, file, ref.removeprefix("refs/heads/"),
    )  # fmt: skip


@register.simple_tag
def at(when: dt.datetime | None) -> SafeString | str:
    """Absolute time, for evidence: a report must still be true when it is read next year."""
    if when is None:
        return ""
    return _time(when, f"{when.day} {when:%b %Y, %H:%M} UTC")


@register.simple_tag
def ago(when: dt.datetime | None) -> SafeString | str:
    """Relative time, for lists."""
    if when is None:
        return ""
    passed = timezone.now() - when
    for size, one, many in _STEPS:
        if passed >= size:
            number = int(passed / size)
            return _time(when, f"{number} {one if number == 1 else many} ago")
    return _time(when, "just now" if passed >= -dt.timedelta(minutes=5) else "in the future")


def _time(when: dt.datetime, text: str) -> SafeString:
    iso = when.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return format_html('<time datetime="{}" title="{}">{}</time>', iso, iso, text)


@register.simple_tag
def command(text: str) -> SafeString:
    """A command line with a button that copies it."""
    return format_html(
        '<div class="cmd"><pre>{}</pre>{}</div>', text, copy(text, f"Copy command {text.partition(chr(10))[0]}")
    )


@register.simple_tag
def image_name(name: str) -> SafeString:
    """An image name that may break before its last part."""
    path, slash, last = name.rpartition("/")
    return format_html("{}{}{}{}", path, slash, NO_BREAK, last)


@register.filter
def short_subject(subject: str) -> str:
    """What work is about; of a digest, its ends."""
    name, at, digest_text = subject.rpartition("@sha256:")
    return f"{name}@{shorten('sha256:' + digest_text)}" if at else subject


@register.simple_tag
def matrix_cells(row: CoverageRow, platform: str, columns: tuple[str, ...]) -> SafeString:
    """The cells of one platform in the coverage matrix."""
    for name, digest_text, states in row.cells:
        if name == platform:
            href = reverse("verification", args=[row.image, digest_text])
            return format_html_join(
                "",
                "{}",
                ((_cell(href, *pair, platform, n == 0),) for n, pair in enumerate(zip(columns, states, strict=True))),
            )
    nothing = format_html('<span class="sr">no {} image</span>', platform)
    return format_html_join("", "<td{}>{}</td>", ((_GROUP if n == 0 else "", nothing) for n in range(len(columns))))


def _cell(href: str, column: str, state: str, platform: str, first: bool) -> SafeString:
    label = f"{column}, {platform}: {words.state_words(state)}"
    return format_html(
        '<td{}><a href="{}" data-s="{}" title="{}">{}<span class="sr">{}</span></a></td>',
        _GROUP if first else "", href, state, label, icon(state or "not-run"), label,
    )  # fmt: skip


@register.filter(name="words")
def split_words(text: str) -> list[str]:
    return text.split()


@register.filter
def predicate_label(predicate_type: str) -> str:
    return predicates.label(predicate_type)


@register.filter
def is_https_link(url: str) -> bool:
    """Whether a URL out of a document may become a link: nothing but the web."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("https", "http") and bool(parts.netloc)


@register.simple_tag
def subject_of(manifest: Manifest) -> Subject:
    """What stands above every page of a digest: platforms, tags."""
    return manifests.subject(manifest)


@register.simple_tag
def component_url(package: Package, version: bool = False) -> str:
    """The page of this package across all images; "" when its role is not one that is searched for."""
    if package.role not in CONTENTS:
        return ""
    name = package.purl_name or package.name
    return component_path(package.ecosystem, package.namespace, name, package.version if version else "")


@register.filter
def cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"


@register.filter
def shown_name(package: Package) -> str:
    """Its name in lists: digests shortened in the middle, long names at the end; without a name its SPDXID."""
    name = package.name or package.spdx_id
    return shorten(name) if is_digest(name) else cut(name, 70)


@register.filter
def builder(identity: str) -> str:
    """A builder as people know it: `chainguard-dev/terraform-provider-apko` instead of its URI."""
    path = identity.partition("://")[2] or identity
    return path.removeprefix("github.com/").partition("/.github/")[0]


@register.filter
def drift_words(kind: str) -> str:
    return drift_report.kind_words(kind)


@register.filter
def topic_words(topic: str) -> str:
    return drift_report.topic_words(topic)


@register.simple_tag
def drift_value(event: DriftEvent, value: str, run: VerificationRun | None) -> SafeString | str:
    """One of the two values of an event, leading to what shows it."""
    if is_digest(value):
        return digest(value, reverse("digest", args=[event.image.name, value]))
    href = reverse("run", args=[run.pk]) if run else ""
    if event.kind.startswith("verdict-"):
        return badge(value, href)
    shown = cut(value, 300)
    return format_html('{} <a class="small nw" href="{}">run</a>', shown, href) if href else shown
