from __future__ import annotations

import pytest

from cgexplorer.spdx import gate
from cgexplorer.spdx.document import NotIndexable


def refusal(raw: bytes) -> str:
    with pytest.raises(NotIndexable) as caught:
        gate.check(raw)
    return str(caught.value)


def test_a_key_named_twice_in_one_object_is_refused_and_named() -> None:
    assert "'name' twice" in refusal(b'{"packages": [{"name": "a", "name": "b"}]}')


def test_the_same_key_in_two_objects_is_fine() -> None:
    gate.check(b'{"packages": [{"name": "a"}, {"name": "a"}]}')


def test_a_key_written_once_plain_and_once_escaped_is_the_same_key() -> None:
    assert "twice" in refusal(rb'{"name": 1, "\u006eame": 2}')


@pytest.mark.parametrize("opening", [b'{"a":', b"["])
def test_sixty_four_levels_pass_and_sixty_five_do_not(opening: bytes) -> None:
    closing = b"}" if opening.startswith(b"{") else b"]"

    def inner(levels: int) -> bytes:
        return opening * levels + b"1" + closing * levels

    gate.check(b'{"a":' + inner(63) + b"}")
    assert "64 levels" in refusal(b'{"a":' + inner(64) + b"}")


@pytest.mark.parametrize("levels", [1_000, 300_000])
def test_very_deep_nesting_is_refused_without_exhausting_the_stack(levels: int) -> None:
    assert "64 levels" in refusal(b'{"a":' + b"[" * levels + b"]" * levels + b"}")


def test_nineteen_digits_pass_and_twenty_do_not() -> None:
    gate.check(b'{"a": -' + b"9" * 19 + b"}")
    assert "20 digits" in refusal(b'{"a": ' + b"9" * 20 + b"}")


def test_five_thousand_digits_are_refused_and_not_computed() -> None:
    assert "5000 digits" in refusal(b'{"a": ' + b"9" * 5000 + b"}")


@pytest.mark.parametrize("shape", [b'{"a": "%s"}', b'{"a": ["%s"]}', b'{"a": {"b": [["%s"]]}}'])
def test_a_string_of_a_mebibyte_passes_and_one_more_character_does_not(shape: bytes) -> None:
    gate.check(shape % (b"x" * gate.MAX_STRING_CHARACTERS))
    assert "1 MiB" in refusal(shape % (b"x" * (gate.MAX_STRING_CHARACTERS + 1)))


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
def test_numbers_that_json_does_not_have_are_refused(number: bytes) -> None:
    assert "not JSON" in refusal(b'{"a": ' + number + b"}")


def test_a_fault_in_the_json_is_said_with_its_place() -> None:
    assert refusal(b'{"a": 1,\n "b" 2}') == "The document is not JSON: Expecting ':' delimiter at line 2, column 6."


def test_bytes_that_are_not_utf_8_are_refused_with_their_place() -> None:
    assert "not UTF-8 text (byte 6)" in refusal(b'{"a":"\xff"}')


@pytest.mark.parametrize("raw", [b"[]", b'"text"', b"1", b"null"])
def test_json_that_is_no_object_is_refused(raw: bytes) -> None:
    assert "not an object" in refusal(raw)


def test_more_bytes_than_the_limit_are_refused_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "MAX_BYTES", 10)
    assert "11 bytes" in refusal(b"not json at"[:11])
