"""Every way in which a registry can misbehave, through the whole pipeline: the right reason, no bad row, no leak."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator

import pytest

from cgexplorer.oci.errors import (
    DigestMismatch,
    Malformed,
    NotFound,
    OciError,
    Refused,
    TooLarge,
    Unauthorized,
    Unreachable,
)
from cgexplorer.store.models import IndexEntry, PackageImage, Sbom
from cgexplorer.store.record import registries as record
from tests.at_once import together
from tests.fakes.registry import FakeRegistry, Fault
from tests.fakes.registry.faults import AT_REALM, AT_TOKEN
from tests.fakes.source import MemorySource
from tests.hostile import CALM, OVERCOME, REPOSITORY, Outcome, World, fetched, torture
from tests.ingesting import allow, attest, sign, spdx

LISTS = {Fault.ENDLESS_LINK, Fault.GROWING_LINK, Fault.LINK_ELSEWHERE, Fault.LINK_FILE, Fault.DEEP_JSON} | {
    Fault.REPEATED_KEYS,
    Fault.NOT_UTF8,
}
NOT_HTTP = (Unreachable, "did not speak HTTP")
TOO_MANY = (Unreachable, r"answered 429 \(too many requests\)")
MISMATCH = (DigestMismatch, "hashes to .*altered or damaged")
# What a person is told of a manifest that was asked for by digest.
ENDS: dict[Fault, tuple[type[OciError], str]] = {
    Fault.ERROR_500: (Unreachable, r"answered 500 \(a fault on its side\)"),
    Fault.ERROR_502: (Unreachable, "answered 502"),
    Fault.ERROR_504: (Unreachable, "answered 504"),
    Fault.TEAPOT: (Malformed, "answered 418"),
    Fault.NO_CONTENT: (Malformed, "answered 204"),
    Fault.PARTIAL: (Malformed, "answered 206"),
    Fault.NOT_MODIFIED: (Malformed, "answered 304"),
    Fault.FORBIDDEN: (Unauthorized, "answered 403"),
    Fault.NO_REPOSITORY: (NotFound, "does not have"),
    Fault.TOO_MANY: TOO_MANY,
    Fault.TOO_MANY_SILENT: TOO_MANY,
    Fault.TOO_MANY_DATE: TOO_MANY,
    Fault.TOO_MANY_PAST: TOO_MANY,
    Fault.TOO_MANY_ABSURD: TOO_MANY,
    Fault.TOO_MANY_NEGATIVE: TOO_MANY,
    Fault.TOO_MANY_WORDS: TOO_MANY,
    Fault.RESET: NOT_HTTP,
    Fault.RESET_MIDWAY: NOT_HTTP,
    Fault.CLOSED: NOT_HTTP,
    Fault.SILENT: (Unreachable, "did not answer in time"),
    Fault.NOT_HTTP: NOT_HTTP,
    Fault.SLOW_HEAD: (Unreachable, "did not answer in time"),
    Fault.ENDLESS_HEADERS: NOT_HTTP,
    Fault.ENDLESS_HEADER: NOT_HTTP,
    Fault.INFORMATION_FLOOD: (TooLarge, "more than belongs to its answer"),
    Fault.SWITCHING: NOT_HTTP,
    Fault.BAD_STATUS: NOT_HTTP,
    Fault.NUL_IN_HEADER: NOT_HTTP,
    Fault.TWO_LENGTHS: NOT_HTTP,
    Fault.TWO_TYPES: (Malformed, "sent the header content-type twice"),
    Fault.NEGATIVE_LENGTH: NOT_HTTP,
    Fault.GIANT_DECLARED: (TooLarge, "offers 10737418240 bytes; at most 4194304"),
    Fault.LENGTH_IN_WORDS: NOT_HTTP,
    Fault.TRUNCATED: NOT_HTTP,
    Fault.TRUNCATED_CHUNKS: NOT_HTTP,
    Fault.CHUNK_GARBAGE: NOT_HTTP,
    Fault.CHUNK_EXTENSIONS: (TooLarge, "more than belongs to its answer"),
    Fault.SLOW_BODY: (Unreachable, "took more than 1 s for one answer"),
    Fault.GIANT_BODY: (TooLarge, "sends more than the 4194304 bytes"),
    Fault.GZIPPED: (Malformed, "compressed answer that nobody asked for"),
    Fault.GZIP_BOMB: (Malformed, "compressed answer that nobody asked for"),
    Fault.EMPTY: MISMATCH,
    Fault.HTML: MISMATCH,
    Fault.WRONG_BYTES: MISMATCH,
    Fault.ONE_BIT: MISMATCH,
    Fault.ONE_BYTE_MORE: MISMATCH,
    Fault.WRONG_TYPE: (Malformed, "The source calls the manifest"),
    Fault.TWO_DIGESTS: (Malformed, "sent the header docker-content-digest twice"),
    Fault.REDIRECT_ELSEWHERE: (Refused, "without TLS"),
    Fault.REDIRECT_TLS: (Refused, "not public"),
    Fault.REDIRECT_LOOP: (Refused, "more than 3 times"),
    Fault.REDIRECT_FILE: (Refused, "not http or https"),
    Fault.REDIRECT_METADATA: (Refused, "without TLS"),
    Fault.REDIRECT_NOWHERE: (Malformed, "answered 307"),
    Fault.REDIRECT_USER: (Refused, "a user name in it"),
    Fault.REDIRECT_RELATIVE: (Refused, "without TLS"),
    Fault.REDIRECT_SPLIT: NOT_HTTP,
    Fault.UNAUTHORIZED_MUTE: (Unauthorized, "wants a user name and password"),
    Fault.UNAUTHORIZED_FOREVER: (Unauthorized, "does not let us read|refuses the credentials|gives no token"),
    Fault.REALM_ELSEWHERE: (Refused, "without TLS"),
    Fault.REALM_HTTP_PRIVATE: (Refused, "without TLS"),
    Fault.REALM_FILE: (Refused, "not http or https"),
    Fault.TOKEN_NOT_JSON: (Malformed, "did not answer with a token"),
    Fault.TOKEN_GIANT: (TooLarge, "sends more than"),
    Fault.TOKEN_TWO_LINES: (Malformed, "did not answer with a token"),
    Fault.TOKEN_ELSEWHERE: (Refused, "without TLS"),
}
# Of a signature, which is a blob: its size is known before, and it has no type of its own.
OF_A_BLOB = {
    **{fault: reason for fault, (_, reason) in ENDS.items() if fault not in AT_TOKEN | AT_REALM},
    **dict.fromkeys([Fault.EMPTY, Fault.HTML, Fault.WRONG_BYTES], r"sent \d+ bytes for"),
    **dict.fromkeys([Fault.ONE_BYTE_MORE, Fault.GIANT_DECLARED, Fault.SLOW_BODY], "offers"),
    Fault.ONE_BIT: "sent other bytes for",
    Fault.GIANT_BODY: "sends more than",
}
del OF_A_BLOB[Fault.WRONG_TYPE], OF_A_BLOB[Fault.TWO_DIGESTS]
# Of a list of referrers. The image is signed elsewhere too, so it stays verified, and the gap is named.
GAPS = {
    Fault.ENDLESS_LINK: "never ends",
    Fault.GROWING_LINK: "never ends",
    Fault.LINK_ELSEWHERE: "continues .* on another host",
    Fault.LINK_FILE: "not http or https",
    Fault.DEEP_JSON: "nested more than 64 levels deep",
    Fault.REPEATED_KEYS: "not valid JSON",
    Fault.NOT_UTF8: "not UTF-8",
    Fault.ERROR_500: "answered 500",
    Fault.FORBIDDEN: "answered 403",
    Fault.GIANT_BODY: "sends more than",
    Fault.RESET: "did not speak HTTP",
}


@pytest.fixture(scope="module")
def shared_world() -> Iterator[World]:
    with World() as world:
        yield world


@pytest.fixture
def world(shared_world: World, db: None) -> World:
    shared_world.prepare()
    return shared_world


def test_every_fault_has_an_expected_end_and_there_are_more_than_forty() -> None:
    assert set(Fault) - set(ENDS) - OVERCOME == LISTS
    assert len(set(Fault) - OVERCOME) > 40


def asked(world: World, fault: Fault, place: str) -> Outcome:
    """What came of it, when no row is wrong and no other host was harmed."""
    outcome = world.ask(fault, place)
    assert world.wrong(outcome) == []
    return outcome


@pytest.mark.parametrize("fault", ENDS)
def test_a_fault_of_the_image_itself_stores_nothing_and_says_why(world: World, fault: Fault) -> None:
    outcome = asked(world, fault, "index")
    kind, reason = ENDS[fault]
    assert isinstance(outcome.error, kind), repr(outcome.error)
    assert re.search(reason, outcome.reasons)


@pytest.mark.parametrize("fault", OF_A_BLOB)
def test_a_fault_of_the_signature_is_could_not_check_and_says_why(world: World, fault: Fault) -> None:
    outcome = asked(world, fault, "signature")
    assert outcome.state == "could-not-check"
    assert re.search(OF_A_BLOB[fault], outcome.reasons)


@pytest.mark.parametrize("fault", GAPS)
def test_a_fault_of_the_referrers_is_named_and_hides_no_other_signature(world: World, fault: Fault) -> None:
    outcome = asked(world, fault, "referrers")
    assert outcome.state == "verified"
    assert re.search(GAPS[fault], outcome.reasons)


@pytest.mark.parametrize("fault", [Fault.ONE_BIT, Fault.TRUNCATED, Fault.GIANT_BODY, Fault.ERROR_500, Fault.SILENT])
def test_a_document_that_did_not_arrive_whole_is_no_document(world: World, fault: Fault) -> None:
    asked(world, fault, "document")
    assert not Sbom.objects.filter(image__registry__host=world.faulty.host).exists()


@pytest.mark.parametrize("fault", sorted(OVERCOME))
def test_a_fault_that_passes_leaves_nothing_behind(world: World, fault: Fault) -> None:
    assert asked(world, fault, "index" if fault is Fault.WRONG_DIGEST else "everything").state == "verified"


def test_a_tag_that_leads_to_a_digest_that_is_not_there_is_not_found(world: World) -> None:
    assert isinstance(asked(world, Fault.WRONG_DIGEST, "tag").error, NotFound)


def test_a_tag_that_moves_at_every_request_mixes_no_two_images(db: None) -> None:
    source = MemorySource()
    images = {}
    for name in ("openssl", "busybox"):
        child = source.push_image(created=f"2026-01-0{len(images) + 1}T00:00:00Z")
        sign(source, child)
        attest(source, child, spdx(f"{name}@1-r0"))
        images[source.push_index("latest", amd64=child)] = (child, name)
    for digest in images:
        sign(source, digest)
    with FakeRegistry() as fake:
        fake.load(source, REPOSITORY)
        allow(pattern="127.0.0.1:*")
        record.registry(fake.host, access="insecure")
        one, other = images
        ended = []
        for fake.flipping in ((one, other), (other, one)) * 3:
            fake.flips = 0
            ended.append(fetched(fake.host, CALM))
        flips = len(fake.requests)
    assert {(one.state, one.report.digest in images) for one in ended if one.report} == {("verified", True)}
    assert len({one.report.digest for one in ended if one.report}) == 2, "the tag never moved between two fetches"
    assert flips > 60
    for digest, (child, name) in images.items():
        assert list(IndexEntry.objects.filter(index__digest=digest).values_list("manifest__digest", flat=True)) == [
            child
        ]
        held = PackageImage.objects.filter(first_sbom__manifest__digest=child)
        assert [one.package.component.name for one in held] == [name]


def test_an_endless_answer_costs_little_memory(world: World) -> None:
    tracemalloc.start()
    try:
        assert isinstance(world.ask(Fault.GIANT_BODY, "everything").error, TooLarge)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.django_db(transaction=True)
def test_a_registry_that_hangs_keeps_no_other_from_being_fetched() -> None:
    with World() as world:
        world.prepare()
        answered: list[bool] = []

        def meanwhile() -> None:
            answered.append(world.others_are_well())
            world.faulty.release.set()  # only now the other one ends

        def hang() -> None:
            world.faulty.fault, world.faulty.fault_at = Fault.SILENT, world.places["index"]
            fetched(world.faulty.host, CALM)

        assert together(hang, meanwhile) == []
        assert answered == [True]


def test_the_same_faults_at_random_places_do_no_harm(db: None) -> None:
    """`make torture` does this with all of them, 25 times; here a few show that the tool itself works."""
    assert sum(torture(1, seed=1, faults=[Fault.RESET, Fault.ONE_BIT, Fault.REDIRECT_ELSEWHERE]).values()) == 3
