"""What an attacker, or a broken disk, makes of a document: mutations that know JSON, base64 and what lies inside.

The same random source gives the same mutants. Used by the differential test and by `scripts/fuzz.py`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

type Place = tuple[Any, Any]  # a container and the key or index of one value in it

ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 10**30, 1.5, -0.0, 1e308,
    "", "0", "-1", "007", "AAAA", "null", "\0", "\u202e", "\ud800", "é" * 9, [], {}, [[]], [None], {"": None},
)  # fmt: skip
ODD_BYTES = (
    b"",
    b"\0",
    b"\xff\xfe",
    b"{",
    b"]",
    b'"',
    b"\\u0000",
    b"\xed\xa0\x80",
    b"NaN",
    b"-",
    b"1e999",
    b"\xef\xbb\xbf",
)
MAX_BYTES = 1 << 16


def mutated(raw: bytes, chance: Random, others: Sequence[bytes] = ()) -> bytes:
    """One to three changes: of the JSON in these bytes where there is some, otherwise of the bytes."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        tree = _json(raw)
        if tree is None or chance.random() < 0.1:
            raw = bytes_mutated(raw, chance, others)
        else:
            raw = _text_mutated(raw, chance) if chance.random() < 0.08 else _tree_mutated(tree, chance, others)
    return raw


def bytes_mutated(raw: bytes, chance: Random, others: Sequence[bytes] = ()) -> bytes:
    """Flipped, cut, doubled, filled or spliced."""
    at = chance.randrange(len(raw) + 1)
    size = min(chance.choice((1, 1, 2, 4, 16, 64)), len(raw) - at)
    match chance.randrange(7):
        case 0 | 1 if at < len(raw):
            return raw[:at] + bytes([raw[at] ^ (1 << chance.randrange(8))]) + raw[at + 1 :]
        case 2:
            return raw[:at] + raw[at + size :]
        case 3:
            return raw[:at] + raw[at : at + size] * 2 + raw[at + size :]
        case 4:
            return raw[:at] + chance.choice(ODD_BYTES) + raw[at + size :]
        case 5 if others:
            other = chance.choice(others)
            start = chance.randrange(len(other) + 1)
            return (raw[:at] + other[start : start + chance.choice((4, 64, 1024))] + raw[at + size :])[:MAX_BYTES]
    return raw[:at] + chance.randbytes(size) + raw[at + size :]


def _tree_mutated(tree: Any, chance: Random, others: Sequence[bytes]) -> bytes:
    places = list(_places(tree))
    if not places:
        return _dumped(chance.choice(ODD_VALUES))
    container, key = chance.choice(places)
    change: Callable[[], None] = chance.choice(_CHANGES)(container, key, chance, others, places)
    change()
    return _dumped(tree)


def _drop(container: Any, key: Any, *_: Any) -> Callable[[], None]:
    return lambda: container.__delitem__(key)


def _odd(container: Any, key: Any, chance: Random, *_: Any) -> Callable[[], None]:
    return lambda: container.__setitem__(key, chance.choice(ODD_VALUES))


def _exchange(container: Any, key: Any, chance: Random, others: Any, places: list[Place]) -> Callable[[], None]:
    """The value from somewhere else in the same document."""
    elsewhere, there = chance.choice(places)
    return lambda: container.__setitem__(key, _copied(elsewhere[there]))


def _transplant(container: Any, key: Any, chance: Random, others: Sequence[bytes], _: Any) -> Callable[[], None]:
    """The value under the same name in another document: its certificate, its entry, its timestamp."""
    donor = _json(chance.choice(others)) if others else None
    given = [found[name] for found, name in _places(donor) if name == key and type(name) is type(key)]
    return lambda: container.__setitem__(key, _copied(chance.choice(given)) if given else None)


def _twice(container: Any, key: Any, *_: Any) -> Callable[[], None]:
    if isinstance(container, list):
        return lambda: container.insert(key, _copied(container[key]))
    return lambda: container.__setitem__(str(key).swapcase(), _copied(container[key]))


def _added(container: Any, key: Any, chance: Random, *_: Any) -> Callable[[], None]:
    if isinstance(container, list):
        return lambda: container.append(chance.choice(ODD_VALUES))
    return lambda: container.__setitem__("extra", chance.choice(ODD_VALUES))


def _renamed(container: Any, key: Any, chance: Random, *_: Any) -> Callable[[], None]:
    if isinstance(container, list):
        return lambda: chance.shuffle(container)
    return lambda: container.__setitem__(chance.choice((key.upper(), key + "s", "_" + key)), container.pop(key))


def _inside(container: Any, key: Any, chance: Random, others: Sequence[bytes], _: Any) -> Callable[[], None]:
    """A near miss of the value: one more, one bit other, a changed document inside the base64."""
    value = container[key]
    if isinstance(value, bool) or value is None:
        return lambda: container.__setitem__(key, not value)
    if isinstance(value, int):
        return lambda: container.__setitem__(key, value + chance.choice((-1, 1, 2**32, -value)))
    if isinstance(value, str):
        return lambda: container.__setitem__(key, _string_mutated(value, chance, others))
    return lambda: container.__setitem__(key, [_copied(value)])


# Near misses more often than the rest: they are what gets past the first check.
_CHANGES = (
    _inside,
    _inside,
    _inside,
    _inside,
    _drop,
    _odd,
    _exchange,
    _transplant,
    _transplant,
    _twice,
    _added,
    _renamed,
)


def _string_mutated(text: str, chance: Random, others: Sequence[bytes]) -> str:
    decoded = _base64(text)
    if text.isascii() and text.isdigit() and chance.random() < 0.8:
        return str(int(text[:40]) + chance.choice((-1, 1, 60, 3600, 10**9)))
    if decoded and chance.random() < 0.8:
        if _json(decoded) is not None and chance.random() < 0.8:
            return _encoded(mutated(decoded, chance, others))
        if b"-----BEGIN" in decoded[:30]:
            return _encoded(_string_mutated(decoded.decode("latin-1"), chance, others).encode("latin-1", "replace"))
        return _encoded(bytes_mutated(decoded, chance))
    spellings = (
        text + "\n", text + " ", text.rstrip("="), text.replace("+", "-").replace("/", "_"), text.swapcase(),
        text[: len(text) // 2], text + text[:4], text.replace("a", "\u0430", 1), "\n".join((text[:64], text[64:])),
    )  # fmt: skip
    if chance.random() < 0.5:
        return chance.choice(spellings)
    return bytes_mutated(text.encode("utf-8", "replace"), chance).decode("utf-8", "replace")


def _text_mutated(raw: bytes, chance: Random) -> bytes:
    """What only the spelling of JSON can do: a key twice, text after the end, numbers that are none."""
    match chance.randrange(5):
        case 0:
            return raw.replace(b'":', b'": null, "extra":', 1)
        case 1:
            at = raw.find(b'"', chance.randrange(len(raw)))
            name = raw[at : raw.find(b'"', at + 1) + 1] if at >= 0 else b'"a"'
            return raw.replace(b"{", b"{" + name + b": null,", 1)
        case 2:
            return raw + chance.choice((b" {}", b"\n", b"\0", raw[:20]))
        case 3:
            return chance.choice((b"\xef\xbb\xbf", b" ", b"[" * 70)) + raw
    return raw.replace(b": ", b":" + chance.choice((b"NaN,", b"1e999,", b"-,", b"00,")), 1)


def _places(tree: Any) -> Iterator[Place]:
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree if isinstance(tree, list) else ()):
        yield tree, key
        yield from _places(value)


def _json(raw: bytes) -> Any:
    if raw.lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _copied(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _dumped(tree: Any) -> bytes:
    return json.dumps(tree).encode()
