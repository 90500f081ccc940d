"""A registry with one fault, through the whole pipeline, and what must hold whatever it does.

`torture(rounds, seed)` repeats every fault at random places, for `make torture`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

import msgspec
from django.db import transaction
from django.utils import timezone

from cgexplorer import ingest, registries
from cgexplorer.oci import reference as references
from cgexplorer.oci.errors import OciError
from cgexplorer.oci.patience import Patience
from cgexplorer.store.models import Evidence, Manifest, PackageImage, Payload, Sbom, Tag, VerificationRun
from cgexplorer.store.record import registries as record
from tests.fakes.registry import FakeRegistry, Fault
from tests.fakes.registry.faults import AT_REALM, AT_TOKEN
from tests.fakes.source import MemorySource
from tests.ingesting import allow, attest, sign, spdx

REPOSITORY = "team/app"
USER, PASSWORD = "robot", "canary-of-the-password"
SECRETS = (PASSWORD, "Y2FuYXJ5LW9mLXRoZS1wYXNzd29yZ", "canary-of-the-error-body", "<script", "<html")
# Generous, so that a busy machine breaks off nothing by itself; those that wait for ever are waited for shortly.
CALM = Patience(first_byte_s=30, exchange_s=60, attempts=2, sleep=lambda _: None)
SHORT = Patience(connect_s=0.3, first_byte_s=0.3, exchange_s=1, attempts=1, sleep=lambda _: None)
SLOW = frozenset({Fault.SILENT, Fault.SLOW_HEAD, Fault.SLOW_BODY})
OVERCOME = frozenset(
    {
        Fault.NONE,
        Fault.ERROR_503_ONCE,
        Fault.TOO_MANY_ONCE,
        Fault.RESET_ONCE,
        Fault.HEAD_REFUSED,
        Fault.HEAD_FORBIDDEN,
        Fault.HEAD_NOT_FOUND,
        Fault.IMAGE_FOR_ANY_TAG,
        Fault.WRONG_DIGEST,  # asked by digest, the bytes are what counts
    }
)

# They answer with a manifest, though not the one asked for: of a tag that is another image, and no harm.
OTHER_IMAGE = frozenset(
    {Fault.WRONG_BYTES, Fault.ENDLESS_LINK, Fault.GROWING_LINK, Fault.LINK_ELSEWHERE, Fault.LINK_FILE}
)


class Outcome(msgspec.Struct, frozen=True):
    error: OciError | None
    report: ingest.IngestReport | None

    @property
    def state(self) -> str:
        return str(self.report.manifests[0].state) if self.report else ""

    @property
    def reasons(self) -> str:
        """All that a person is told."""
        if self.report is None:
            return str(self.error)
        return " ".join(
            f"{one.reason} {one.problem} {' '.join(problem.reason for problem in one.problems)}"
            for one in self.report.manifests
        )


class World:
    """A registry that can misbehave and wants a password, one that does not, and a canary that nobody may ask."""

    def __init__(self) -> None:
        source = MemorySource()
        self.child = source.push_image()
        sign(source, self.child)
        attest(source, self.child, spdx("openssl@3.3.1-r0", "busybox@1.37.0-r9"))
        self.index = source.push_index("latest", amd64=self.child)
        sign(source, self.index)
        self.source = source
        self.faulty, self.honest, self.canary = FakeRegistry(), FakeRegistry(), FakeRegistry()
        for one in (self.faulty, self.honest, self.canary):
            one.load(source, REPOSITORY)
        signature, document = (self._layer(self.index, ".sig"), self._layer(self.child, ".att"))
        self.places = {
            "tag": "/manifests/latest",
            "index": f"/manifests/{self.index}",
            "platform": f"/manifests/{self.child}",
            "signature": f"/blobs/{signature}",
            "document": f"/blobs/{document}",
            "referrers": "/referrers/",
            "everything": "/v2/",
        }

    def _layer(self, digest: str, suffix: str) -> str:
        manifest = self.source.manifests[self.source.tagged[digest.replace(":", "-") + suffix]]
        return str(msgspec.json.decode(manifest)["layers"][0]["digest"])

    def __enter__(self) -> Self:
        for one in (self.faulty, self.honest, self.canary):
            one.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self.faulty, self.honest, self.canary):
            one.__exit__()

    def prepare(self) -> None:
        """Rows that say who is trusted: inside the transaction of a test."""
        allow(pattern="127.0.0.1:*")
        for one in (self.faulty, self.honest):
            row = record.registry(one.host, access="insecure")
            record.credential(row, USER, PASSWORD, registries.box(), timezone.now())
            one.token_auth, one.basic_auth = True, (USER, PASSWORD)
        registries._refused_head.clear()  # what an earlier fault taught is not this one's
        assert self.others_are_well()
        self.good = _stored()
        self.canary.requests.clear()

    def ask(self, fault: Fault, place: str) -> Outcome:
        faulty = self.faulty
        faulty.fault, faulty.fault_at, faulty.elsewhere = fault, self.places[place], self.canary.host
        faulty.hits.clear()
        if fault in AT_TOKEN | AT_REALM:
            faulty.fault_at = "nowhere"
        try:
            return fetched(faulty.host, SHORT if fault in SLOW else CALM)
        finally:
            faulty.fault = Fault.NONE

    def wrong(self, outcome: Outcome) -> list[str]:
        """What is not as it must be after any fault; empty when all is well."""
        host, found = self.faulty.host, []
        manifests = Manifest.objects.filter(image__registry__host=host)
        if strange := set(manifests.values_list("digest", flat=True)) - {self.index, self.child}:
            found.append(f"manifests that were never pushed: {strange}")
        if strange := _stored() - self.good:
            found.append(f"bytes that the honest registry does not have: {strange}")
        signed = Evidence.objects.filter(kind="signature", state="verified").values("manifest_id")
        if manifests.filter(state="verified").exclude(pk__in=signed).exists():
            found.append("verified without a verified signature")
        if Tag.objects.filter(image__registry__host=host).exclude(manifest__digest=self.index).exists():
            found.append("the tag points elsewhere")
        if outcome.error is not None and manifests.exists():
            found.append("an error, and rows all the same")
        if Sbom.objects.filter(image__registry__host=host).exclude(manifest__digest=self.child).exists():
            found.append("an SBOM of another digest")
        said = f"{outcome.reasons} {list(VerificationRun.objects.values_list('reason', 'problems'))}"
        found += [f"shown: {secret}" for secret in SECRETS if secret in said]
        if self.canary.requests:
            found.append(f"the canary was asked: {self.canary.requests}")
        return found

    def others_are_well(self) -> bool:
        outcome = fetched(self.honest.host, CALM)
        held = PackageImage.objects.filter(image__registry__host=self.honest.host)
        return outcome.state == "verified" and held.count() == 2


def fetched(host: str, patience: Patience) -> Outcome:
    reference = references.parse(f"{host}/{REPOSITORY}:latest")
    try:
        with registries.connect(reference, patience=patience) as source:
            return Outcome(None, ingest.ingest(reference, source, trigger="ingest", now=timezone.now()))
    except OciError as error:
        return Outcome(error, None)


def torture(rounds: int, seed: int, faults: Sequence[Fault] = tuple(Fault)) -> Counter[str]:
    """Every fault `rounds` times at random places; answers how often each outcome came. Raises at the first harm."""
    chance, ends = random.Random(seed), Counter[str]()
    with World() as world:
        for fault in list(faults) * rounds:
            places = set(world.places) - ({"tag", "everything"} if fault in OTHER_IMAGE else set())
            place = chance.choice(sorted(places))
            with _forgotten():
                world.prepare()
                outcome = world.ask(fault, place)
                harm = world.wrong(outcome)
                if not world.others_are_well():
                    harm.append("another registry suffered")
                if harm:
                    raise AssertionError(f"{fault} at {place} (seed {seed}): {'; '.join(harm)}")
            ends[type(outcome.error).__name__ if outcome.error else outcome.state] += 1
    return ends


@contextmanager
def _forgotten() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _stored() -> set[str]:
    return {bytes(one).hex() for one in Payload.objects.values_list("sha256", flat=True)}
