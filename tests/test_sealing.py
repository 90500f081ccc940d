"""Secrets at rest."""

from __future__ import annotations

import pytest

from cgexplorer.sealing import Box, CannotOpen

PLACE = "registry cgr.dev user robot"


def test_what_was_sealed_opens_again_and_does_not_hold_the_secret() -> None:
    sealed = Box(["key"]).seal("canary é", place=PLACE)
    assert b"canary" not in sealed
    assert Box(["key"]).open(sealed, place=PLACE) == "canary é"


def test_the_same_secret_is_never_sealed_to_the_same_bytes() -> None:
    box = Box(["key"])
    assert box.seal("x", place=PLACE) != box.seal("x", place=PLACE)


def test_another_key_does_not_open_it_and_says_so() -> None:
    with pytest.raises(CannotOpen, match="another SECRET_KEY"):
        Box(["other"]).open(Box(["key"]).seal("x", place=PLACE), place=PLACE)


def test_an_older_key_still_opens_and_the_newest_seals() -> None:
    old = Box(["old"]).seal("x", place=PLACE)
    both = Box(["new", "old"])
    assert both.open(old, place=PLACE) == "x"
    assert (both.is_newest(old), both.is_newest(both.seal("x", place=PLACE))) == (False, True)


def test_it_does_not_open_for_another_registry() -> None:
    box = Box(["key"])
    with pytest.raises(CannotOpen, match="another place"):
        box.open(box.seal("x", place=PLACE), place="registry evil.example user robot")


@pytest.mark.parametrize("position", [0, 1, 9, 21, -1])
def test_an_altered_byte_is_noticed(position: int) -> None:
    box = Box(["key"])
    sealed = bytearray(box.seal("secret", place=PLACE))
    sealed[position] ^= 1
    with pytest.raises(CannotOpen):
        box.open(bytes(sealed), place=PLACE)


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" + b"x" * 40])
def test_what_was_never_sealed_is_an_error_of_ours(sealed: bytes) -> None:
    with pytest.raises(CannotOpen):
        Box(["key"]).open(sealed, place=PLACE)


def test_a_box_needs_a_secret() -> None:
    with pytest.raises(ValueError, match="no secret"):
        Box([""])
