"""An answer about everything is asked for once, and given to all who want it meanwhile."""

from __future__ import annotations

import threading
import time

import pytest

from cgexplorer.store.queries import remembered as remembered_answers
from cgexplorer.store.queries.remembered import Remembered


def test_a_small_answer_is_asked_for_each_time() -> None:
    asked: list[int] = []

    def ask() -> int:
        asked.append(1)
        return len(asked)

    remembered = Remembered(ask, large=lambda answer: False)
    assert [remembered.answer() for _ in range(3)] == [(1, 0.0), (2, 0.0), (3, 0.0)]


def test_a_large_answer_is_given_again_with_its_age() -> None:
    asked: list[int] = []

    def ask() -> int:
        time.sleep(0.2)  # kept for six seconds
        asked.append(1)
        return len(asked)

    remembered = Remembered(ask, large=lambda answer: True)
    assert remembered.answer() == (1, 0.0)
    again, age = remembered.answer()
    assert again == 1
    assert age > 0


def test_an_answer_that_has_aged_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered_answers, "KEPT_FOR", 0)
    answers = iter(range(10))
    remembered = Remembered(lambda: next(answers), large=lambda answer: True)
    remembered.answer()
    assert remembered.answer() == (1, 0.0)


def test_an_answer_that_fails_is_not_kept() -> None:
    steps = iter([ValueError("away"), None])

    def ask() -> str:
        if error := next(steps):
            raise error
        return "answer"

    remembered = Remembered(ask, large=lambda answer: True)
    with pytest.raises(ValueError, match="away"):
        remembered.answer()
    assert remembered.answer() == ("answer", 0.0)


def test_while_one_asks_again_the_others_get_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered_answers, "KEPT_FOR", 0)
    may_end, asking = threading.Event(), threading.Event()
    answers = iter([0, 1])

    def ask() -> int:
        number = next(answers)
        if number:
            asking.set()
            may_end.wait(10)
        return number

    remembered = Remembered(ask, large=lambda answer: True)
    remembered.answer()
    first = threading.Thread(target=remembered.answer)
    first.start()
    assert asking.wait(10)
    assert remembered.answer()[0] == 0
    may_end.set()
    first.join()
