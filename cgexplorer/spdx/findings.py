"""Faults of a document, counted by class: one real document repeats the same fault 96,000 times."""

from __future__ import annotations

from cgexplorer.spdx.document import Finding

_EXAMPLES = 3
_EXAMPLE_CHARACTERS = 200
_CLASSES = 100


class Findings:
    """Collects while parsing; `grouped()` is what is kept."""

    def __init__(self) -> None:
        self._classes: dict[str, tuple[int, tuple[str, ...]]] = {}

    def add(self, what: str, example: str = "") -> None:
        count, examples = self._classes.get(what, (0, ()))
        if count == 0 and len(self._classes) >= _CLASSES:
            what = "further kinds of faults"
            count, examples = self._classes.get(what, (0, ()))
        if example and len(examples) < _EXAMPLES:
            shown = example.strip().replace("\0", "\\u0000").encode("utf-8", "backslashreplace").decode()
            shown = shown if len(shown) <= _EXAMPLE_CHARACTERS else shown[: _EXAMPLE_CHARACTERS - 1] + "…"
            examples = examples if shown in examples else (*examples, shown)
        self._classes[what] = (count + 1, examples)

    def grouped(self) -> tuple[Finding, ...]:
        """Most frequent first."""
        ordered = sorted(self._classes.items(), key=lambda entry: (-entry[1][0], entry[0]))
        return tuple(Finding(what, count, examples) for what, (count, examples) in ordered)
