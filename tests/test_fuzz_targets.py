"""Every fuzz target takes its own seeds and some mutants of them; `make fuzz` goes on from there."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from scripts import fuzz, fuzz_documents, fuzz_signed
from scripts.fuzz_documents import Broken, Target
from tests.mutations import mutated

TARGETS = (*fuzz_signed.TARGETS, *fuzz_documents.TARGETS)
MUTANTS = 60


@pytest.mark.parametrize("target", TARGETS, ids=[target.name for target in TARGETS])
def test_hostile_bytes_only_meet_the_errors_that_a_parser_announces(target: Target) -> None:
    chance = random.Random(target.name)
    for raw in (*target.seeds, b"", b"\0", b"{}", b"\xff" * 40, b"[" * 1000):
        target(raw)
    for _ in range(MUTANTS):
        target(mutated(chance.choice(target.seeds), chance, target.seeds))


@pytest.mark.parametrize("target", TARGETS, ids=[target.name for target in TARGETS])
def test_an_honest_document_is_not_refused(target: Target) -> None:
    target.run(target.seeds[0])


def test_the_signed_payloads_are_known_and_others_are_called_out(monkeypatch: pytest.MonkeyPatch) -> None:
    target = next(item for item in TARGETS if item.name == "bundle")
    monkeypatch.setattr(fuzz_signed, "SIGNED", frozenset())
    with pytest.raises(Broken, match="verified"):
        target(target.seeds[0])


def test_the_same_seed_makes_the_same_mutants() -> None:
    seeds = TARGETS[0].seeds
    first, second = ([mutated(seeds[0], random.Random(number), seeds) for number in range(50)] for _ in range(2))
    assert first == second
    assert len(set(first)) > 45


def test_a_fault_is_kept_and_can_be_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(raw: bytes) -> None:
        raise KeyError(raw[:1])

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fuzz, "_targets", lambda only="": (Target("broken", fails, (ValueError,), (b"seed",)),))
    monkeypatch.setattr(fuzz.importlib.util, "find_spec", lambda name: None)
    assert fuzz.main(["--runs", "5", "--seed", "7"]) == 1
    (kept,) = (tmp_path / "fuzz-findings").iterdir()
    assert f"--replay {kept.relative_to(tmp_path)}" in capsys.readouterr().out
    with pytest.raises(KeyError):
        fuzz.main(["--replay", str(kept)])


def test_without_coverage_the_same_mutations_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fuzz.importlib.util, "find_spec", lambda name: None)
    assert fuzz.main(["--runs", "200", "--seed", "7", "--only", "purl"]) == 0
    assert "200 inputs" in capsys.readouterr().out
    assert not (tmp_path / "fuzz-findings").exists()
