"""Two images, side by side: what was added, removed, upgraded; licences, configuration, provenance, signer.

Pure: the store fills two Sides, nothing is read here. The answer's JSON is an interface (`cgexplorer.diff/1`): fields
may be added, none is renamed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from cgexplorer.spdx import licenses
from cgexplorer.spdx.purl import full_name
from cgexplorer.spdx.versions import direction, version_key

SCHEMA = "cgexplorer.diff/1"


class ComparedPackage(msgspec.Struct, frozen=True, gc=False):
    """A package in the contents (installed or module); never an image, a layer or a file."""

    ecosystem: str
    namespace: str
    name: str
    version: str
    arch: str = ""
    license: str = ""  # normalised expression


class Side(msgspec.Struct, frozen=True, kw_only=True):
    reference: str
    digest: str
    platform: str | None = None
    packages: tuple[ComparedPackage, ...] = ()
    licenses: tuple[str, ...] | None = None  # None: those of the packages
    config: Mapping[str, str] | None = None  # path to value; predicates.apko.ImageConfiguration.flat(); None: unknown
    provenance: Mapping[str, str] | None = None  # predicates.slsa.Provenance.flat(); None: there is none that holds
    signer: str | None = None
    has_sbom: bool = True  # False: `packages` is empty because nobody said what is in it
    generator: str = ""  # of the SBOM; "" when it names none
    platforms: tuple[str, ...] = ()  # that the reference has; () when it names no index


class End(msgspec.Struct, frozen=True):
    """What was compared."""

    reference: str
    digest: str
    platform: str | None


class OneSided(msgspec.Struct, frozen=True):
    """A package that only one side has, in one version."""

    name: str  # as people say it, purl.full_name
    ecosystem: str
    version: str
    namespace: str = ""
    arch: str = ""
    license: str = ""


class VersionChange(msgspec.Struct, frozen=True):
    """Upgraded and downgraded: the version gone and the version new. Changed: all versions of each side."""

    name: str
    ecosystem: str
    before: tuple[str, ...] = msgspec.field(name="from")
    after: tuple[str, ...] = msgspec.field(name="to")
    namespace: str = ""
    arch: str = ""


class LicenseChange(msgspec.Struct, frozen=True):
    """The same version under another licence; "" where a side states none."""

    name: str
    ecosystem: str
    version: str
    before: str = msgspec.field(name="from")
    after: str = msgspec.field(name="to")
    namespace: str = ""
    arch: str = ""


class ValueChange(msgspec.Struct, frozen=True):
    path: str
    before: str | None = msgspec.field(name="from")  # None: not there
    after: str | None = msgspec.field(name="to")


class PackageDifferences(msgspec.Struct, frozen=True):
    added: tuple[OneSided, ...]
    removed: tuple[OneSided, ...]
    upgraded: tuple[VersionChange, ...]
    downgraded: tuple[VersionChange, ...]
    changed: tuple[VersionChange, ...]  # several versions, or a direction that nobody can know
    license_changed: tuple[LicenseChange, ...]
    unchanged: int = 0


class LicenseDifferences(msgspec.Struct, frozen=True):
    added: tuple[str, ...]
    removed: tuple[str, ...]


class SignerDifference(msgspec.Struct, frozen=True):
    before: str | None = msgspec.field(name="from")
    after: str | None = msgspec.field(name="to")


class PlatformDifferences(msgspec.Struct, frozen=True):
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class Difference(msgspec.Struct, frozen=True):
    before: End = msgspec.field(name="from")
    after: End = msgspec.field(name="to")
    packages: PackageDifferences
    licenses: LicenseDifferences
    config: tuple[ValueChange, ...]
    provenance: tuple[ValueChange, ...]
    signer: SignerDifference
    warnings: tuple[str, ...] = ()
    schema: str = SCHEMA
    platforms: PlatformDifferences = PlatformDifferences()
    # What could not be compared, so that an empty list of it is no "nothing changed": packages and licences where a
    # side has no SBOM, config where that of a side is not stored, provenance where neither side has any.
    unknown: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether anything but the digest differs."""
        found = self.packages
        lists = (found.added, found.removed, found.upgraded, found.downgraded, found.changed, found.license_changed)
        signers, platforms = self.signer, self.platforms
        return any(lists) or any(
            (self.config, self.provenance, signers.before != signers.after, platforms.added, platforms.removed)
        )

    def as_json(self) -> bytes:
        body = msgspec.to_builtins(self)
        return msgspec.json.encode({"schema": body.pop("schema"), **body})


type Name = tuple[str, str, str, str]  # ecosystem, namespace, name, arch
type Versions = dict[str, set[str]]  # version, its licences


def compare(before: Side, after: Side) -> Difference:
    """What changed from `before` to `after`. Every list is ordered by ecosystem, namespace, name, version.

    Where a side has no SBOM, its packages are not compared: those of the other are neither added nor removed.
    """
    listed = before.has_sbom and after.has_sbom
    return Difference(
        before=End(before.reference, before.digest, before.platform),
        after=End(after.reference, after.digest, after.platform),
        packages=_packages(before.packages, after.packages) if listed else _packages((), ()),
        licenses=_licenses(before, after) if listed else LicenseDifferences((), ()),
        config=_values(before.config, after.config) if None not in (before.config, after.config) else (),
        provenance=_values(before.provenance, after.provenance),
        signer=SignerDifference(before.signer, after.signer),
        platforms=_platforms(before, after),
        warnings=tuple(_warnings(before, after)),
        unknown=tuple(_unknown(before, after)),
    )


def _unknown(before: Side, after: Side) -> Iterable[str]:
    if not (before.has_sbom and after.has_sbom):
        yield from ("packages", "licenses")
    if before.config is None or after.config is None:
        yield "config"
    if before.provenance is None and after.provenance is None:
        yield "provenance"


def _packages(before: Iterable[ComparedPackage], after: Iterable[ComparedPackage]) -> PackageDifferences:
    before, after = tuple(before), tuple(after)
    several = _several_architectures(before) | _several_architectures(after)
    old, new = _by_name(before, several), _by_name(after, several)
    added: list[OneSided] = []
    removed: list[OneSided] = []
    versions: dict[str, list[VersionChange]] = {"up": [], "down": [], "unknown": []}
    license_changed: list[LicenseChange] = []
    unchanged = 0
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name, {}), new.get(name, {})
        if not was:
            added += _one_sided(name, now)
        elif not now:
            removed += _one_sided(name, was)
        elif was.keys() != now.keys():
            way, change = _version_change(name, set(was), set(now))
            versions[way].append(change)
        else:
            unchanged += 1
        if was and now:
            license_changed += _license_changes(name, was, now)
    return PackageDifferences(
        added=tuple(added),
        removed=tuple(removed),
        upgraded=tuple(versions["up"]),
        downgraded=tuple(versions["down"]),
        changed=tuple(versions["unknown"]),
        license_changed=tuple(license_changed),
        unchanged=unchanged,
    )


def _several_architectures(packages: Iterable[ComparedPackage]) -> set[tuple[str, str, str]]:
    """Names that one side has for two architectures: libc6 of a multiarch Debian. Only there is it part of the name,
    so that amd64 and arm64 of the same image can be compared."""
    found: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for package in packages:
        if package.arch:
            found[package.ecosystem, package.namespace, package.name].add(package.arch)
    return {name for name, architectures in found.items() if len(architectures) > 1}


def _by_name(packages: Iterable[ComparedPackage], several: set[tuple[str, str, str]]) -> dict[Name, Versions]:
    found: dict[Name, Versions] = {}
    for package in packages:
        name = (package.ecosystem, package.namespace, package.name)
        key = (*name, package.arch if name in several else "")
        found.setdefault(key, {}).setdefault(package.version, set()).add(package.license)
    return found


def _one_sided(name: Name, versions: Versions) -> list[OneSided]:
    ecosystem, namespace, _, arch = name
    return [
        OneSided(
            full_name(*name[:3]),
            ecosystem,
            version,
            namespace,
            arch,
            " / ".join(sorted(filter(None, versions[version]))),
        )
        for version in _ordered(ecosystem, versions)
    ]


def _version_change(name: Name, was: set[str], now: set[str]) -> tuple[str, VersionChange]:
    ecosystem, namespace, _, arch = name
    gone, come = was - now, now - was
    way = "unknown"
    if len(gone) == len(come) == 1:
        (one,), (other,) = gone, come
        way = direction(ecosystem, one, other)
        was, now = gone, come
    change = VersionChange(
        full_name(*name[:3]), ecosystem, _ordered(ecosystem, was), _ordered(ecosystem, now), namespace, arch
    )
    return way, change


def _license_changes(name: Name, was: Versions, now: Versions) -> list[LicenseChange]:
    ecosystem, namespace, _, arch = name
    found = []
    for version in _ordered(ecosystem, was.keys() & now.keys()):
        if {licenses.canonical(one) for one in was[version]} != {licenses.canonical(one) for one in now[version]}:
            one, other = (" / ".join(sorted(side[version])) for side in (was, now))
            found.append(LicenseChange(full_name(*name[:3]), ecosystem, version, one, other, namespace, arch))
    return found


def _ordered(ecosystem: str, versions: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(versions, key=lambda version: (version_key(ecosystem, version) or b"", version)))


def _licenses(before: Side, after: Side) -> LicenseDifferences:
    old, new = _license_names(before), _license_names(after)
    return LicenseDifferences(added=tuple(sorted(new - old)), removed=tuple(sorted(old - new)))


def _license_names(side: Side) -> set[str]:
    expressions = side.licenses if side.licenses is not None else {package.license for package in side.packages}
    return {name for expression in expressions for name in licenses.identifiers(expression)}


def _values(before: Mapping[str, str] | None, after: Mapping[str, str] | None) -> tuple[ValueChange, ...]:
    before, after = before or {}, after or {}
    return tuple(
        ValueChange(path, before.get(path), after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    )


def _platforms(before: Side, after: Side) -> PlatformDifferences:
    if not before.platforms or not after.platforms:
        return PlatformDifferences()
    old, new = set(before.platforms), set(after.platforms)
    return PlatformDifferences(tuple(sorted(new - old)), tuple(sorted(old - new)))


def _warnings(before: Side, after: Side) -> Iterable[str]:
    missing = [side.reference for side in (before, after) if not side.has_sbom]
    if missing:
        whose = "its" if len(missing) == 1 else "their"
        yield f"There is no SBOM of {' and '.join(missing)}: {whose} packages are unknown, not absent."
    elif before.generator != after.generator:
        made_by = [side.generator or "an unnamed tool" for side in (before, after)]
        yield (
            f"The SBOMs were made by {' and '.join(made_by)}: "
            "some differences may be between the tools, not the images."
        )
    if before.platform and after.platform and before.platform != after.platform:
        yield f"The platforms differ: {before.platform} and {after.platform}."


def sentence(found: Difference) -> str:
    """`2 packages added, 1 removed, 14 upgraded, 1 downgraded; 1 new licence.`"""
    counted = _counted(found)
    said = [
        counted or ("Packages unknown, for want of an SBOM" if "packages" in found.unknown else "The same packages")
    ]
    if count := len(found.licenses.added):
        said.append(f"{count:,} new licence{'s' if count > 1 else ''}")
    if not counted and (others := _other_differences(found)):
        said.append(f"{' and '.join(others)} differ{'s' if len(others) == 1 and others[0] != 'platforms' else ''}")
    return "; ".join(said) + "."


def _counted(found: Difference) -> str:
    packages = found.packages
    counted = (
        (len(packages.added), "added"),
        (len(packages.removed), "removed"),
        (len(packages.upgraded), "upgraded"),
        (len(packages.downgraded), "downgraded"),
        (len(packages.changed), "with other versions"),
        (len(packages.license_changed), "with another licence"),
    )
    parts = [f"{count:,} {what}" for count, what in counted if count]
    if not parts:
        return ""
    number, _, rest = parts[0].partition(" ")
    noun = "package" if number == "1" else "packages"
    return ", ".join([f"{number} {noun} {rest}", *parts[1:]])


def _other_differences(found: Difference) -> list[str]:
    moved = found.platforms.added or found.platforms.removed
    kinds = (("configuration", found.config), ("provenance", found.provenance), ("platforms", moved))
    return [name for name, differing in kinds if differing]
