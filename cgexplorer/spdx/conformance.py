"""What spdx-tools thinks of a document: asked after it is stored, never a gate.

In a process of its own that can be killed: a hostile document may make the library work for hours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from cgexplorer.spdx import worker
from cgexplorer.spdx.document import Finding
from cgexplorer.spdx.findings import Findings

TIMEOUT_S = 60.0
_MAX_REASON_CHARACTERS = 500


class Opinion(StrEnum):
    CLEAN = "clean"
    FINDINGS = "findings"
    REJECTED = "rejected"  # spdx-tools cannot read it at all
    NOT_RUN = "not-run"


class Conformance(msgspec.Struct, frozen=True):
    opinion: Opinion
    reason: str = ""  # of a rejection, or why it was not run
    count: int = 0  # of messages
    findings: tuple[Finding, ...] = ()  # messages grouped by class


def check(raw: bytes, timeout_s: float = TIMEOUT_S) -> Conformance:
    """Parse and validate SPDX JSON with spdx-tools. Never raises for what the document contains."""
    try:
        answer = worker.run("conformance", raw, timeout_s)
    except worker.WorkerError as error:
        return Conformance(Opinion.NOT_RUN, reason=str(error))
    return msgspec.json.decode(answer, type=Conformance)


def rejected(messages: Iterable[str]) -> Conformance:
    found = list(messages) or ["spdx-tools gave no reason"]
    reason = found[0].strip()
    if len(reason) > _MAX_REASON_CHARACTERS:
        reason = reason[: _MAX_REASON_CHARACTERS - 1] + "…"
    return Conformance(Opinion.REJECTED, reason, len(found), grouped(found))


def validated(messages: Iterable[str]) -> Conformance:
    found = list(messages)
    if not found:
        return Conformance(Opinion.CLEAN)
    return Conformance(Opinion.FINDINGS, "", len(found), grouped(found))


def grouped(messages: Iterable[str]) -> tuple[Finding, ...]:
    """Messages by class: what is particular to one element is left out of the class and stays in the examples."""
    findings = Findings()
    for message in messages:
        findings.add(_class_of(message), message)
    return findings.grouped()


# What a beartype failure inside spdx-tools comes down to.
_WRONG_TYPE = re.compile(r"SetterError (\w+): Method .*? parameter (\w+)=.*", re.DOTALL)
_AFTER_COLON = re.compile(
    r"\b(but (?:is|got|was)|found|provided|Error parsing LicenseExpression|type)\s?:.*", re.DOTALL
)
_PARTICULAR = (
    re.compile(r"""(['"])(?:(?!\1).){1,2000}?\1"""),
    re.compile(r"(?:SPDXRef|DocumentRef|LicenseRef)-[^\s,;]+"),
    re.compile(r"\b[0-9a-fA-F]{7,}\b|\b\d+\b"),
)


def _class_of(message: str) -> str:
    text = _WRONG_TYPE.sub(r"\2 of \1 is missing or has a wrong type", message[:4000])
    text = _AFTER_COLON.sub(r"\1: …", text)
    for pattern in _PARTICULAR:
        text = pattern.sub("…", text)
    return re.sub(r"\s+", " ", text)[:160].strip()
