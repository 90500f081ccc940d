"""What a torture found: a figure each, with its limit, and whether it holds."""

from __future__ import annotations

import msgspec


class Figure(msgspec.Struct, frozen=True):
    scenario: str
    what: str
    value: float
    unit: str = ""
    limit: float | None = None  # at most this; None = only told
    why: tuple[str, ...] = ()  # what broke it

    @property
    def holds(self) -> bool:
        return self.limit is None or self.value <= self.limit


class Figures:
    def __init__(self, scenario: str) -> None:
        self.scenario = scenario
        self.all: list[Figure] = []

    def tell(self, what: str, value: float, unit: str = "") -> None:
        self.all.append(Figure(self.scenario, what, round(value, 2), unit))

    def at_most(self, limit: float, what: str, value: float, unit: str = "") -> None:
        self.all.append(Figure(self.scenario, what, round(value, 2), unit, limit))

    def none(self, what: str, found: list[str]) -> None:
        """Nothing of this kind may be found."""
        self.all.append(Figure(self.scenario, what, len(found), "", 0, tuple(found[:5])))
