"""Whatever comes in: an answer or a sentence, never another exception."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgexplorer.spdx import licenses, order_keys, purl, versions
from cgexplorer.spdx.document import NotIndexable
from cgexplorer.spdx.parse import parse
from tests.spdx.documents import package, raw, related

VALID = raw(
    package(
        "a",
        "pkg:apk/wolfi/openssl@3.3.1-r0?arch=x86_64&origin=openssl",
        licenseDeclared="MIT AND (ISC OR Zlib)",
        checksums=[{"algorithm": "SHA256", "checksumValue": "ab"}],
        supplier="Organization: Wolfi",
        hasFiles=["SPDXRef-f"],
    ),
    package("b", "pkg:golang/example.com/m@v1.0.0"),
    files=[{"SPDXID": "SPDXRef-f", "fileName": "/f"}],
    relationships=[related("DOCUMENT", "DESCRIBES", "a"), related("a", "CONTAINS", "b")],
)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_document_or_a_sentence(body: bytes) -> None:
    with contextlib.suppress(NotIndexable):
        parse(body)


def test_two_thousand_mutants_of_a_valid_document_give_a_document_or_a_sentence() -> None:
    pick = random.Random(7)
    sentences = []
    for _ in range(2000):
        mutant = bytearray(VALID)
        for _ in range(pick.randint(1, 4)):
            place = pick.randrange(len(mutant))
            choice = pick.randrange(3)
            if choice == 0:
                mutant[place] = pick.randrange(256)
            elif choice == 1:
                del mutant[place : place + pick.randint(1, 20)]
            else:
                mutant[place:place] = pick.choice(
                    [b"{", b"]", b'"', b"\\u0000", b"\\ud800", b"null", b"1e999", b"\xff"]
                )
        try:
            parse(bytes(mutant))
        except NotIndexable as refusal:
            sentences.append(str(refusal))
    assert all(sentence.endswith(".") for sentence in sentences)
    assert 200 < len(sentences) < 1800


@pytest.mark.parametrize("ecosystem", order_keys.COMPARATORS)
@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="0123456789.abrcptg-_+~^:!* ١é", max_size=24))
def test_any_version_has_a_key_or_none(ecosystem: str, version: str) -> None:
    key = versions.version_key(ecosystem, version)
    assert key is None or key


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40) | st.text(alphabet="pkg:/@?#=&%aA1. ", max_size=40).map("pkg:".__add__))
def test_any_text_is_a_purl_or_none(text: str) -> None:
    found = purl.parse(text)
    assert found is None or found.text.startswith("pkg:")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["MIT", "AND", "OR", "WITH", "(", ")", "+", "GPL-2.0", "x,y", "LicenseRef-a", "é"])))
def test_any_words_are_an_expression_or_not(words: list[str]) -> None:
    text = " ".join(words)
    normal = licenses.normalise(text)
    if normal:
        assert licenses.normalise(normal) == normal
    licenses.canonical(text)
    licenses.families(text)
