"""What `make interop` prints, and the file for machines."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from scripts.interop import known
from scripts.interop.comparison import COSIGNS, Row
from scripts.interop.evidence import Proof
from scripts.interop.judges import Answer
from scripts.interop.signing import Signed

OUTPUT = Path("bench") / "interop.json"
_SIGN = {Answer.ACCEPTS: "yes", Answer.REFUSES: "no", Answer.CANNOT: "-"}


def table(rows: list[Row]) -> list[str]:
    """One line a question, grouped by exhibit."""
    lines = [f"{'question':58} {'cosign 2':9}{'cosign 3':9}{'ours':6}"]
    exhibit = ""
    for row in rows:
        if row.question.exhibit != exhibit:
            exhibit = row.question.exhibit
            lines.append(exhibit)
        cosigns = "".join(f"{_SIGN[row.cosigns[major].answer]:9}" for major in COSIGNS)
        marks = "FAULT" if row.faults else ", ".join(sorted(set(row.argued.values())))
        kind = "sig" if row.question.command == "verify" else "att"
        lines.append(f"  {kind}  {row.question.about:51} {cosigns}{_SIGN[row.ours.answer]:6}{marks}".rstrip())
    return lines


def faults(rows: list[Row], proofs: list[Proof], signed: list[Signed]) -> list[str]:
    """Sentences, one for each thing that is not as it should be."""
    found = [f"{row.question.exhibit}, {row.question.about}: {fault}" for row in rows for fault in row.faults]
    found += [_ended(one) for one in proofs if not one.is_fine]
    return found + [_not_as_expected(one) for one in signed if not _is_expected(one)]


def stale(rows: list[Row]) -> list[str]:
    """Arguments that a whole run did not need."""
    used = {name for row in rows for name in row.argued.values()}
    return [f"The argument {one.name!r} explains nothing any more." for one in known.ARGUED if one.name not in used]


def _ended(one: Proof) -> str:
    script = f"verify.sh of {one.bundle}, {one.about}, with {one.program}"
    return f"{script}: exit {one.exit_code}, expected {one.expect}. {one.word}"


def _is_expected(one: Signed) -> bool:
    return one.exhibit.refused in one.not_made and bool(one.exhibit.refused) == bool(one.not_made)


def _not_as_expected(one: Signed) -> str:
    if not one.not_made:
        return f"{one.exhibit.name} was made; expected was {one.exhibit.refused!r}."
    return f"{one.exhibit.name} was not made: {one.not_made}"


def summary(rows: list[Row], proofs: list[Proof], signed: list[Signed]) -> list[str]:
    made = [one for one in signed if not one.not_made]
    acts, refused = sum(len(one.exhibit.acts) for one in made), len(signed) - len(made)
    lines = [f"{acts} signatures and attestations on {len(made)} images; {refused} more that cosign refuses to make."]
    for major in COSIGNS:
        answered = [row for row in rows if row.cosigns[major].answer is not Answer.CANNOT]
        argued = sum(major in row.argued for row in answered)
        agreed = sum(row.cosigns[major].answer is row.ours.answer for row in answered)
        lines.append(
            f"cosign {major}: {len(answered)} questions, {agreed} answered as we do, {argued} otherwise for an argued "
            f"reason, {len(answered) - agreed - argued} unexplained."
        )
    reasons = Counter(name for row in rows for name in row.argued.values())
    lines += [f"  {count:4} {name}" for name, count in reasons.most_common()]
    accepted = sum(row.ours.answer is Answer.ACCEPTS for row in rows)
    from_layout = sum(row.ours_from_layout is not None for row in rows)
    lines.append(f"We accept {accepted} and refuse {len(rows) - accepted}; {from_layout} asked from a layout too.")
    whole = sum(one.expect == 0 for one in proofs)
    wrong = sum(not one.is_fine for one in proofs)
    lines.append(
        f"verify.sh: {whole} runs as written, {len(proofs) - whole} altered, {wrong} ended as they should not."
    )
    return lines


def write(rows: list[Row], proofs: list[Proof], signed: list[Signed], found: list[str]) -> None:
    OUTPUT.parent.mkdir(exist_ok=True)
    whole = {
        "schema": "cgexplorer.interop/1",
        "faults": found,
        "argued": [{"name": one.name, "why": one.why, "cosigns": list(one.cosigns)} for one in known.ARGUED],
        "refused_to_sign": {one.exhibit.name: one.not_made for one in signed if one.not_made},
        "questions": [_question(row) for row in rows],
        "evidence": [
            {
                "bundle": one.bundle, "about": one.about, "program": one.program, "exit": one.exit_code,
                "expect": one.expect, "verified": one.verified,
            }
            for one in proofs
        ],
    }  # fmt: skip
    OUTPUT.write_text(json.dumps(whole, indent=1))


def _question(row: Row) -> dict[str, object]:
    question = row.question
    return {
        "exhibit": question.exhibit,
        "command": question.command,
        "about": question.about,
        "flags": list(question.flags),
        "root": question.root,
        "expect": question.expect,
        "ours": {"answer": row.ours.answer, "word": row.ours.word},
        "cosign": {str(major): {"answer": one.answer, "word": one.word} for major, one in row.cosigns.items()},
        "argued": {str(major): name for major, name in row.argued.items()},
    }
