"""Package URLs: one normal form for what generators write differently.

Source: purl-spec; the exceptions are what apko, syft and trivy really write (docs/decisions).
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec
from packageurl import PackageURL

# What a package manager installs into a system, against what a language's tool puts inside a program.
INSTALLED_TYPES = frozenset({"apk", "deb", "rpm", "alpm", "bitnami", "brew", "nix", "ebuild", "qpkg"})
MODULE_TYPES = frozenset(
    {
        "bazel",
        "cargo",
        "clojars",
        "cocoapods",
        "composer",
        "conan",
        "conda",
        "cpan",
        "cran",
        "elm",
        "gem",
        "golang",
        "hackage",
        "hex",
        "huggingface",
        "julia",
        "luarocks",
        "maven",
        "npm",
        "nuget",
        "opam",
        "otp",
        "pub",
        "pypi",
        "swift",
        "vscode-extension",
        "wordpress-plugin",
    }
)
INSTALLED_AS = {"alpine": "apk"}  # other words for a type: syft's before 0.60, the VERS specification's
_SEMVER_LIKE = re.compile(r"\d+\.\d+")
_SOURCE_RPM = re.compile(r"^(?P<name>.+)-[^-]+-[^-]+\.(?:src|nosrc)\.rpm$")


class Purl(msgspec.Struct, frozen=True):
    type: str
    namespace: str
    name: str
    version: str  # with a golang `v` and an rpm or deb epoch, wherever they were written
    arch: str
    built_from: str  # name of the source package, from the qualifiers `origin` (apko) or `upstream` (syft)
    media_type: str
    subpath: str
    text: str  # the whole, normalised

    @property
    def identity(self) -> tuple[str, str, str, str, str]:
        """Everything but the qualifiers."""
        return (self.type, self.namespace, self.name, self.version, self.subpath)


@lru_cache(maxsize=65_536)
def parse(text: str) -> Purl | None:
    """The normalised purl, or None when `text` is not one."""
    scheme, colon, rest = text.strip().partition(":")
    try:
        found = PackageURL.from_string(scheme.lower() + colon + rest)
    except ValueError:
        return None
    qualifiers: dict[str, str] = dict(found.qualifiers) if isinstance(found.qualifiers, dict) else {}
    kind, namespace, version = found.type, found.namespace or "", found.version or ""
    if kind in INSTALLED_AS:
        kind, namespace = INSTALLED_AS[kind], namespace or kind
    epoch = qualifiers.get("epoch", "")
    if kind in ("rpm", "deb") and epoch.isdigit() and epoch != "0" and ":" not in version:
        version = f"{epoch}:{version}"
    if kind == "golang":
        version = golang_version(version)
    try:
        normal = PackageURL(kind, namespace or None, found.name, version or None, qualifiers or None, found.subpath)
        whole = normal.to_string()
    except ValueError:
        return None
    return Purl(
        type=kind,
        namespace=namespace,
        name=found.name,
        version=version,
        arch=qualifiers.get("arch", ""),
        built_from=_source_name(qualifiers.get("origin") or qualifiers.get("upstream") or ""),
        media_type=qualifiers.get("mediaType") or qualifiers.get("mediatype") or "",
        subpath=found.subpath or "",
        text=whole,
    )


def one_spelling(kind: str, name: str) -> str:
    """The name as its index compares it: typing_extensions is typing-extensions. Sources: PEP 503, crates.io."""
    if kind == "pypi":
        return re.sub(r"[-_.]+", "-", name).lower()
    return name.replace("_", "-").lower() if kind == "cargo" else name.lower()


def golang_version(version: str) -> str:
    """Go says v1.2.3; older trivy leaves the v out."""
    return f"v{version}" if _SEMVER_LIKE.match(version) else version


def best(purls: list[Purl]) -> Purl | None:
    """Of a package's purls, the one that says what it is rather than where it came from.

    apko 0.14 gives an apk three: itself, its upstream archive and its melange file.
    """
    for wanted in (INSTALLED_TYPES, MODULE_TYPES):
        for purl in purls:
            if purl.type in wanted:
                return purl
    return purls[0] if purls else None


def full_name(ecosystem: str, namespace: str, name: str) -> str:
    """The name that people say: `github.com/spf13/cobra` and `@angular/core`, but `openssl`, not `wolfi/openssl`."""
    return name if not namespace or ecosystem in INSTALLED_TYPES else f"{namespace}/{name}"


def _source_name(upstream: str) -> str:
    """`openssl@1.1.1n-0+deb11u3` and `bash-5.1.8-6.el9.src.rpm` name openssl and bash."""
    match = _SOURCE_RPM.match(upstream)
    return match["name"] if match else upstream.partition("@")[0].strip()
