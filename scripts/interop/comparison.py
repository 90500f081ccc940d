"""The table: every question, what each judge answered, and whether that is agreement, argued or wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from scripts.interop import known
from scripts.interop.cases import Question
from scripts.interop.exhibits import Exhibit
from scripts.interop.judges import Answer, Court, Judgement

COSIGNS = (2, 3)


@dataclass(frozen=True)
class Row:
    question: Question
    ours: Judgement
    ours_from_layout: Judgement | None
    cosigns: dict[int, Judgement]
    argued: dict[int, str] = field(default_factory=dict)  # cosign → name of the argument
    faults: tuple[str, ...] = ()  # sentences; without any the row is fine


def compare(court: Court, questions: Iterable[Question], exhibits: dict[str, Exhibit]) -> list[Row]:
    listed = list(questions)
    pool = ThreadPoolExecutor(2, thread_name_prefix="cosign")
    try:
        asked = [(one, {major: pool.submit(court.cosign, major, one) for major in COSIGNS}) for one in listed]
        rows = []
        for question, theirs in asked:
            ours = court.ours(question)
            from_layout = court.ours(question, from_layout=True) if court.layout else None
            answers = {major: future.result() for major, future in theirs.items()}
            rows.append(_row(question, exhibits[question.exhibit], ours, from_layout, answers))
            if len(rows) % 250 == 0:
                print(f"  {len(rows)} of {len(listed)}", file=sys.stderr, flush=True)
    finally:
        pool.shutdown(cancel_futures=True)  # who stops us does not wait for thousands of questions
    return rows


def _row(
    question: Question, exhibit: Exhibit, ours: Judgement, from_layout: Judgement | None, theirs: dict[int, Judgement]
) -> Row:
    argued, faults = {}, []
    if question.expect is not None and (ours.answer is Answer.ACCEPTS) != question.expect:
        faults.append(f"we should {'accept' if question.expect else 'refuse'}: {ours.word}")
    if from_layout is not None and from_layout.answer is not ours.answer:
        faults.append(f"from the layout it {from_layout.answer}: {from_layout.word}")
    for major, judgement in theirs.items():
        if judgement.answer in (ours.answer, Answer.CANNOT):
            continue
        why = known.explanation(question, exhibit, major, ours, judgement)
        if why is None:
            faults.append(f"cosign {major} {judgement.answer}: {judgement.word}")
        else:
            argued[major] = why.name
    return Row(question, ours, from_layout, theirs, argued, tuple(faults))
