"""The worker's side of conformance.py: spdx-tools parses and validates one document."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import msgspec
from spdx_tools.spdx.parser.error import SPDXParsingError
from spdx_tools.spdx.parser.json.json_parser import remove_json_control_chars_hook
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser

from cgexplorer.spdx import conformance, linear_spdx_tools


def of(raw: bytes) -> bytes:
    return msgspec.json.encode(opinion(raw))


def opinion(raw: bytes) -> conformance.Conformance:
    """What spdx-tools says of a JSON document, and what it fails with."""
    linear_spdx_tools.parse_linearly()
    try:
        tree = json.loads(raw.decode("utf-8"), object_pairs_hook=remove_json_control_chars_hook)
        document = _parser().parse(tree)
    except SPDXParsingError as error:
        return conformance.rejected(_texts(error.messages))
    except Exception as error:
        # spdx-tools assumes types that a document need not have; whatever it dies of is its opinion.
        return conformance.rejected([f"{type(error).__name__}: {error}"])
    try:
        messages = linear_spdx_tools.validate_linearly(document)
    except Exception as error:
        return conformance.rejected([f"{type(error).__name__} while validating: {error}"])
    return conformance.validated(message.validation_message for message in messages)


# Parsing errors of one element are a Python list written into the message of the element above.
_NESTED = re.compile(r"^(Error while (?:parsing|constructing) \w+): (\[.*\])$", re.DOTALL)
_MAX_NESTED_CHARACTERS = 2_000_000


def _parser() -> Any:
    make: Any = JsonLikeDictParser
    return make()


def _texts(messages: list[Any]) -> list[str]:
    """Messages of messages, as spdx-tools nests them: flat, each with what it is about."""
    found: list[str] = []
    waiting = [("", message) for message in reversed(messages)]
    while waiting:
        about, message = waiting.pop()
        if isinstance(message, list | tuple):
            waiting.extend((about, one) for one in reversed(message))
            continue
        text = str(message)
        match = _NESTED.match(text) if len(text) <= _MAX_NESTED_CHARACTERS else None
        if match:
            try:
                inner = ast.literal_eval(match[2])
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                found.append(about + text)
            else:
                waiting.extend((f"{match[1]}: ", one) for one in reversed(inner))
            continue
        found.append(about + text)
    return found
