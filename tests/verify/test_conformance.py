"""The stand-alone verifier in the protocol of the sigstore-conformance suite: each case over a file and over a digest.

The suite only looks at the exit code. Here the checks that must refuse a bundle are named too, and no other may fail.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cgexplorer.verify.cli import main
from tests.verify import conformance_bundles, conformance_entries, conformance_signers, conformance_times
from tests.verify.conformance import Make, Mode

CASES: dict[str, Make] = (
    conformance_bundles.CASES | conformance_entries.CASES | conformance_signers.CASES | conformance_times.CASES
)
MODES: tuple[Mode, ...] = ("file", "digest")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_a_bundle_is_answered_as_the_specification_says(
    make: Make, mode: Mode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = make()
    exit_code, fails = case.expected(mode)
    command, *rest = case.arguments(tmp_path, mode)
    found = main([command, "--output", "json", *rest])
    printed = capsys.readouterr()
    if exit_code in (0, 1):
        (evidence,) = json.loads(printed.out)["subjects"][0]["evidence"]
        failed = {check["name"] for check in evidence["checks"] if check["outcome"] == "failed"}
        assert (found, failed) == (exit_code, fails), evidence["reason"]
    else:
        assert (found, printed.out) == (exit_code, "")
        assert printed.err.startswith("error: ")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "name", ["happy: v0.3", "keys: P-256", "rekor_2: file", "proofs: promise by somebody", "keys: another key"]
)
def test_the_suites_own_command_line_answers_by_exit_code(name: str, mode: Mode, tmp_path: Path) -> None:
    case = CASES[name]()
    command = [sys.executable, "-m", "cgexplorer.verify", *case.arguments(tmp_path, mode)]
    project = str(Path(__file__).parents[2])
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": project}, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == case.expected(mode)[0], done.stderr.decode()
