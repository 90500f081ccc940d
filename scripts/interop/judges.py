"""Three judges of one question: stock cosign 2 and 3 as processes, and our stand-alone verifier."""

from __future__ import annotations

import io
import json
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cgexplorer.verify import cli
from scripts.interop import toolchain
from scripts.interop.cases import Question

TIMEOUT_S = 60


class Answer(StrEnum):
    ACCEPTS = "accepts"
    REFUSES = "refuses"
    CANNOT = "cannot"  # it has no such flag, or not for this form


@dataclass(frozen=True)
class Judgement:
    answer: Answer
    word: str  # in its own words


@dataclass(frozen=True)
class Court:
    roots: dict[str, Path]
    environment: dict[str, str]
    layout: Path | None = None

    def cosign(self, major: int, question: Question) -> Judgement:
        command = [str(toolchain.find("cosign", major)), question.command, "--allow-http-registry", "--offline"]
        if major == 2 and question.classic and question.command == "verify-attestation":
            if question.root != "whole":
                return Judgement(Answer.CANNOT, "cosign 2 takes no trusted root for a classic attestation")
        else:
            command.append(f"--trusted-root={self.roots[question.root]}")
        try:
            finished = subprocess.run(
                [*command, *question.flags, question.reference],
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Judgement(Answer.REFUSES, f"no answer in {TIMEOUT_S} s")
        if finished.returncode == 0:
            return Judgement(Answer.ACCEPTS, "")
        lines = [line for line in finished.stderr.splitlines() if line.strip()]
        word = next((line for line in lines if "rror" in line), lines[-1] if lines else f"exit {finished.returncode}")
        unknown = "unknown flag" in finished.stderr or "unknown shorthand" in finished.stderr
        return Judgement(Answer.CANNOT if unknown else Answer.REFUSES, word[:300])

    def ours(self, question: Question, *, from_layout: bool = False) -> Judgement:
        """In this process, by the front door: `python -m cgexplorer.verify` calls the same function."""
        where = [f"--layout={self.layout}"] if from_layout else ["--allow-http-registry"]
        arguments = [question.command, *where, f"--trusted-root={self.roots[question.root]}", "--output=json"]
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = cli.main([*arguments, *question.flags, question.reference])
        if code == cli.VERIFIED:
            return Judgement(Answer.ACCEPTS, "")
        word = err.getvalue().strip().splitlines()[-1:] if not out.getvalue() else [_reason(out.getvalue())]
        return Judgement(Answer.REFUSES, "".join(word)[:300])


def _reason(report: str) -> str:
    found = json.loads(report)
    failed = [
        f"{check['name']}: expected {check['expected']}, found {check['found']}"
        for subject in found["subjects"]
        for one in subject["evidence"]
        for check in one["checks"]
        if check["outcome"] == "failed"
    ]
    return f"{found['state']}: " + "; ".join(failed[:3])
