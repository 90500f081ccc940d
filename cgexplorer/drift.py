"""What is not as it was: two looks at one digest, or two builds behind one tag → findings, each with both values.

Pure: the store fills the looks and keeps the findings. A look that was incomplete proves no absence, and one that could
not check says nothing about a verdict: the caller leaves such looks out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from cgexplorer.compare import LicenseDifferences, PackageDifferences
from cgexplorer.oci.digest import is_digest, short
from cgexplorer.verify.summary import BEST_FIRST
from cgexplorer.verify.verdict import State

SIGNATURE = "signature"  # topic of signatures; that of an attestation is its predicate type
INDEX = "index"  # stands for the index itself among its platforms
MAX_NAMED = 12  # packages, licences that a value spells out; `changes` has more
MAX_PLACES = 3  # tags that a package of a saved search is said to be at
MAX_CHANGES = 500
NONE = "none"
_LONG_AGO = dt.datetime.min.replace(tzinfo=dt.UTC)
_SIGNED = frozenset({State.VERIFIED, State.VERIFIED_STALE, State.NO_POLICY, State.SIGNER_NOT_ALLOWED})


class Kind(StrEnum):
    TAG_MOVED = "tag-moved"
    TAG_ROLLED_BACK = "tag-rolled-back"
    TAG_GONE = "tag-gone"
    TAG_BACK = "tag-back"
    SIGNATURE_MISSING = "signature-missing"
    SIGNATURE_ADDED = "signature-added"
    IDENTITY_CHANGED = "identity-changed"
    ISSUER_CHANGED = "issuer-changed"
    ATTESTATION_MISSING = "attestation-missing"
    ATTESTATION_ADDED = "attestation-added"
    REATTESTED = "re-attested"
    PLATFORM_ADDED = "platform-added"
    PLATFORM_REMOVED = "platform-removed"
    VERDICT_BY_POLICY = "verdict-changed-by-policy"
    VERDICT_BY_TRUST_ROOT = "verdict-changed-by-trust-root"
    VERDICT = "verdict-changed"
    PACKAGE_DOWNGRADED = "package-downgraded"
    LICENSE_ADDED = "license-added"
    SEARCH_CHANGED = "search-changed"


class Signed(msgspec.Struct, frozen=True):
    """A signature or an attestation, as one look judged it."""

    evidence_id: int
    topic: str  # SIGNATURE or the predicate type; "" = it could not be read
    state: str
    identity: str = ""
    issuer: str = ""
    signed_at: dt.datetime | None = None
    payload_sha256: str = ""
    policy: str = ""  # "acme v1", that decided
    root: str = ""  # sha256 of the trust root

    @property
    def is_signed(self) -> bool:
        """Somebody signed it, so that its signer is a fact."""
        return self.state in _SIGNED


class Look(msgspec.Struct, frozen=True):
    """One verification of one digest."""

    state: str
    signed: tuple[Signed, ...] = ()

    def of(self, topic: str) -> tuple[Signed, ...]:
        return tuple(one for one in self.signed if one.topic == topic)

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.topic for one in self.signed))


class Change(msgspec.Struct, frozen=True):
    """One of the many things that a finding is about."""

    name: str
    before: str = msgspec.field(name="from")
    after: str = msgspec.field(name="to")


class Finding(msgspec.Struct, frozen=True):
    kind: Kind
    before: str
    after: str
    topics: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    note: str = ""  # what brought it about, where that is known
    changes: tuple[Change, ...] = ()


class Held(msgspec.Struct, frozen=True, order=True):
    """A package version that a saved search finds in an image, and where: at tags, or in digests."""

    package: str  # "apk openssl 3.3.1-r0"
    platform: str
    places: tuple[str, ...]


def verdicts(before: Look, now: Look) -> list[Finding]:
    """The same digest is judged otherwise: because of its policy, of a trust root, or of something else."""
    found = []
    common = {one.evidence_id: one for one in before.signed}
    pairs = [(common[one.evidence_id], one) for one in now.signed if one.evidence_id in common]
    if State.COULD_NOT_CHECK not in (before.state, now.state) and before.state != now.state:
        signatures = [pair for pair in pairs if pair[0].topic == SIGNATURE]
        found.append(_verdict(before.state, now.state, SIGNATURE, signatures))
    for topic in before.topics:
        some = [pair for pair in pairs if pair[0].topic == topic]
        if topic == SIGNATURE or not some:
            continue
        was, became = (_best(one.state for one in side) for side in zip(*some, strict=True))
        if State.COULD_NOT_CHECK not in (was, became) and was != became:
            found.append(_verdict(was, became, topic, some))
    return merged(found)


def evidence(before: Look, now: Look) -> list[Finding]:
    """What was attached to a digest, or taken away, since another complete look at it."""
    found = _attached(before, _with_topics_of(before, now))
    known = {_claim(one) for one in before.signed}
    for topic in now.topics:
        was = before.of(topic)
        new = [one for one in now.of(topic) if one.is_signed and _claim(one) not in known]
        if was and new:
            found.append(Finding(Kind.REATTESTED, _newest(was), _newest(new), (topic,)))
    return merged(found)


def builds(before: Look, now: Look) -> list[Finding]:
    """What one build of a platform (or an index) carries, and the next does not. Both looks were complete."""
    found = _attached(before, now)
    if State.COULD_NOT_CHECK not in (before.state, now.state) and before.state != now.state:
        found.append(Finding(Kind.VERDICT, before.state, now.state, (SIGNATURE,), note="Another build."))
    return merged(found)


def platforms(before: Sequence[str], now: Sequence[str]) -> list[Finding]:
    added, removed = ([one for one in side if one not in other] for side, other in ((now, before), (before, now)))
    values = _listed(before), _listed(now)
    found = [Finding(Kind.PLATFORM_ADDED, *values, platforms=tuple(added))] if added else []
    return found + ([Finding(Kind.PLATFORM_REMOVED, *values, platforms=tuple(removed))] if removed else [])


def packages(different: PackageDifferences, licenses: LicenseDifferences) -> list[Finding]:
    """Packages of the next build that are older, and licences that the build before did not have."""
    found = []
    if different.downgraded:
        changes = tuple(Change(one.name, " ".join(one.before), " ".join(one.after)) for one in different.downgraded)
        before, after = (
            _listed([f"{one.name} {getattr(one, side)}" for one in changes]) for side in ("before", "after")
        )
        found.append(Finding(Kind.PACKAGE_DOWNGRADED, before, after, changes=changes[:MAX_CHANGES]))
    if licenses.added:
        changes = tuple(Change(name, "", name) for name in licenses.added)
        found.append(Finding(Kind.LICENSE_ADDED, NONE, _listed(licenses.added), changes=changes[:MAX_CHANGES]))
    return found


def answers(before: Sequence[Held], now: Sequence[Held]) -> list[Finding]:
    """What a saved search finds in an image that it did not find before, or finds no more: at the places that differ,
    all that was and all that is found there."""
    was, became = _by_place(before), _by_place(now)
    differing = [place for place in dict.fromkeys((*was, *became)) if was.get(place) != became.get(place)]
    if not differing:
        return []
    changes = tuple(
        Change(" ".join(filter(None, place)), _listed(was.get(place, ())), _listed(became.get(place, ())))
        for place in differing[:MAX_CHANGES]
    )
    before_there, now_there = ({place: side[place] for place in differing if place in side} for side in (was, became))
    where = tuple(dict.fromkeys(platform for _, platform in differing))
    found = Finding(Kind.SEARCH_CHANGED, _said_of(before_there), _said_of(now_there), platforms=where, changes=changes)
    return [found]


type _Places = dict[tuple[str, str], tuple[str, ...]]  # (tag or digest, platform) → packages


def _by_place(some: Sequence[Held]) -> _Places:
    found: dict[tuple[str, str], set[str]] = {}
    for one in some:
        for place in one.places:
            found.setdefault((place, one.platform), set()).add(one.package)
    return {place: tuple(sorted(packages)) for place, packages in found.items()}


def _said_of(found: _Places) -> str:
    """`apk libcrypto3 3.6.2-r1, apk libssl3 3.6.2-r1 (latest, 1.31; linux/amd64, linux/arm64)`"""
    platforms: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for (place, platform), packages in found.items():
        platforms.setdefault((packages, place), []).append(platform)
    places: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for (packages, place), some in platforms.items():
        places.setdefault((packages, tuple(some)), []).append(place)
    said = []
    for (packages, some_platforms), some_places in places.items():
        named = [short(place) if is_digest(place) else place for place in some_places]
        where = "; ".join(filter(None, (_listed(named, MAX_PLACES), ", ".join(filter(None, some_platforms)))))
        said.append(f"{_listed(packages)} ({where})")
    return _listed(said)


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """The same change of several topics or platforms is one finding."""
    by_topic = _joined(findings, "topics")
    return _joined(by_topic, "platforms")


def of_platforms(found: Mapping[str, Sequence[Finding]]) -> list[Finding]:
    return merged(
        msgspec.structs.replace(finding, platforms=(platform,)) for platform, some in found.items() for finding in some
    )


def _joined(findings: Iterable[Finding], field: str) -> list[Finding]:
    groups: dict[Finding, list[str]] = {}
    for finding in findings:
        rest = msgspec.structs.replace(finding, **{field: ()})
        groups.setdefault(rest, []).extend(getattr(finding, field))
    return [
        msgspec.structs.replace(finding, **{field: tuple(dict.fromkeys(names))}) for finding, names in groups.items()
    ]


def _attached(before: Look, now: Look) -> list[Finding]:
    found = []
    for topic in dict.fromkeys((*before.topics, *now.topics)):
        was, became = before.of(topic), now.of(topic)
        is_signature = topic == SIGNATURE
        if not became:
            kind = Kind.SIGNATURE_MISSING if is_signature else Kind.ATTESTATION_MISSING
            found.append(Finding(kind, _said(was), NONE, (topic,)))
        elif not was:
            kind = Kind.SIGNATURE_ADDED if is_signature else Kind.ATTESTATION_ADDED
            found.append(Finding(kind, NONE, _said(became), (topic,)))
        else:
            for kind, field in ((Kind.IDENTITY_CHANGED, "identity"), (Kind.ISSUER_CHANGED, "issuer")):
                old, new = _values(was, field), _values(became, field)
                if old and new and old != new:
                    found.append(Finding(kind, _listed(old), _listed(new), (topic,)))
    return found


def _with_topics_of(before: Look, now: Look) -> Look:
    """What can no longer be read is still what it was."""
    known = {one.evidence_id: one.topic for one in before.signed}
    named = (msgspec.structs.replace(one, topic=known.get(one.evidence_id) or one.topic) for one in now.signed)
    return Look(now.state, tuple(named))


def _verdict(was: str, became: str, topic: str, pairs: Sequence[tuple[Signed, Signed]]) -> Finding:
    policies = _differing(pairs, "policy")
    roots = _differing(pairs, "root")
    notes = [f"Policy: {one or 'none'}, then {other or 'none'}." for one, other in policies[:1]]
    notes += [f"Trust root: {one[:12] or 'none'}, then {other[:12] or 'none'}." for one, other in roots[:1]]
    kind = Kind.VERDICT_BY_POLICY if policies else Kind.VERDICT_BY_TRUST_ROOT if roots else Kind.VERDICT
    return Finding(kind, was, became, (topic,), note=" ".join(notes))


def _differing(pairs: Sequence[tuple[Signed, Signed]], field: str) -> list[tuple[str, str]]:
    values = [(getattr(one, field), getattr(other, field)) for one, other in pairs]
    return [(one, other) for one, other in values if one != other]


def _best(states: Iterable[str]) -> str:
    return min(states, key=lambda state: BEST_FIRST.index(State(state)))


def _claim(one: Signed) -> tuple[object, ...]:
    """Who signed what when. A bundle can be written anew around it by anybody: that is no new claim."""
    return one.topic, one.payload_sha256, one.identity, one.issuer, one.signed_at


def _values(some: Sequence[Signed], field: str) -> list[str]:
    return sorted({value for one in some if one.is_signed and (value := getattr(one, field))})


def _said(some: Sequence[Signed]) -> str:
    signers = _values(some, "identity")
    if signers:
        return f"signed by {_listed(signers)}"
    return _best(one.state for one in some).replace("-", " ")


def _newest(some: Sequence[Signed]) -> str:
    newest = max(some, key=lambda one: (one.signed_at is not None, one.signed_at or _LONG_AGO))
    when = f"signed {newest.signed_at:%Y-%m-%d %H:%M:%S} UTC" if newest.signed_at else "signed at an unknown time"
    return f"{when} by {newest.identity or 'nobody known'}"


def _listed(names: Sequence[str], limit: int = MAX_NAMED) -> str:
    more = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return (", ".join(names[:limit]) or NONE) + more
