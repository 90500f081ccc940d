"""Where stock cosign and we are known to disagree, and why that is right. `docs/decisions/0004` argues each.

A disagreement that nothing here explains fails `make interop`; so does an entry that explains nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scripts.interop.cases import Question
from scripts.interop.exhibits import Act, Exhibit, Form
from scripts.interop.judges import Answer, Judgement

BOTH = (2, 3)


@dataclass(frozen=True)
class Argued:
    name: str
    why: str
    cosigns: tuple[int, ...]
    ours: Answer
    applies: Callable[[Question, Exhibit, Judgement], bool]


def explanation(question: Question, exhibit: Exhibit, major: int, ours: Judgement, theirs: Judgement) -> Argued | None:
    """`applies` is asked with the words of whoever refuses."""
    refusal = ours if ours.answer is Answer.REFUSES else theirs
    for one in ARGUED:
        if major in one.cosigns and ours.answer is one.ours and one.applies(question, exhibit, refusal):
            return one
    return None


def _altered(*words: str) -> Callable[[Question, Exhibit, Judgement], bool]:
    return lambda question, exhibit, refusal: (
        exhibit.name.startswith("altered")
        and exhibit.name.endswith(tuple(f"c2-{w}" for w in words) + tuple(f"c3-{w}" for w in words))
    )


def _logs_waived(question: Question) -> bool:
    return "--insecure-ignore-tlog" in question.flags


def _act(exhibit: Exhibit) -> Act:
    return exhibit.acts[0]


def _key(exhibit: Exhibit, *names: str) -> bool:
    return bool(exhibit.acts) and _act(exhibit).signer in names


ARGUED: tuple[Argued, ...] = (
    # -- refused, though cosign accepts it
    Argued(
        "attestation as a signature",
        "An image signature is a simple-signing payload or a statement of cosign's own type, nothing else.",
        BOTH,
        Answer.REFUSES,
        lambda question, exhibit, refusal: (
            question.command == "verify" and any(act.predicate and act.form is Form.BUNDLE for act in exhibit.acts)
        ),
    ),
    Argued(
        "exact value beside a pattern",
        "An exact issuer or identity and a pattern given together must both hold; cosign forgets the exact one.",
        BOTH,
        Answer.REFUSES,
        lambda question, exhibit, refusal: ", right pattern" in question.about,
    ),
    Argued(
        "annotations of bundles",
        "cosign 2 does not look at --annotations where the signature is a bundle.",
        (2,),
        Answer.REFUSES,
        lambda question, exhibit, refusal: (
            "annotations:" in refusal.word and any(act.form is Form.BUNDLE for act in exhibit.acts)
        ),
    ),
    Argued(
        "every log entry offered must hold",
        "--insecure-ignore-tlog waives that there must be an entry, not that an entry of a known log may be false.",
        BOTH,
        Answer.REFUSES,
        lambda question, exhibit, refusal: (
            _logs_waived(question) and any(word in refusal.word for word in ("log-entry:", "log-binding:"))
        ),
    ),
    Argued(
        "every timestamp offered must hold",
        "A token that is false, repeated or of an authority's other time is refused beside a good log entry too.",
        BOTH,
        Answer.REFUSES,
        lambda question, exhibit, refusal: refusal.word.startswith("invalid: timestamp:"),
    ),
    Argued(
        "one way to read it",
        "Evidence of which a part cannot be read, or can be read in two ways, is refused; also a part that is waived.",
        BOTH,
        Answer.REFUSES,
        lambda question, exhibit, refusal: refusal.word.startswith("invalid: format:"),
    ),
    Argued(
        "period of a log's key",
        "A Rekor v2 entry must be proven with a key that was trusted at the timestamp; cosign does not look.",
        BOTH,
        Answer.REFUSES,
        lambda question, exhibit, refusal: question.root == "log-ended" and _act(exhibit).log == "rekor2",
    ),
    Argued(
        "what surrounds a log entry",
        "kindVersion must be the body's and treeSize the checkpoint's; cosign compares neither, and in some trees"
        " another size gives the same proof.",
        BOTH,
        Answer.REFUSES,
        _altered("log-kind", "log-kind-version", "proof-size"),
    ),
    # -- accepted, though cosign refuses it
    Argued(
        "classic beside bundles",
        "Both storage places count; cosign looks at nothing classic once there is any bundle.",
        BOTH,
        Answer.ACCEPTS,
        lambda question, exhibit, refusal: {Form.CLASSIC, Form.BUNDLE} <= {act.form for act in exhibit.acts},
    ),
    Argued(
        "cosign 3's timestamps of classic attestations",
        "They cover the signature in the envelope; both cosigns look for one over the envelope, and find none.",
        BOTH,
        Answer.ACCEPTS,
        lambda question, exhibit, refusal: exhibit.name.startswith("attest-classic-c3") and "RFC3161" in refusal.word,
    ),
    Argued(
        "hash of a key's kind",
        "A P-384 or P-521 key is tried with its usual hash; cosign wants --signature-digest-algorithm for that.",
        BOTH,
        Answer.ACCEPTS,
        lambda question, exhibit, refusal: _key(exhibit, "p384", "p521"),
    ),
    Argued(
        "Ed25519",
        "Stock cosign signs with Ed25519 keys and verifies none of it.",
        BOTH,
        Answer.ACCEPTS,
        lambda question, exhibit, refusal: _key(exhibit, "ed25519"),
    ),
    Argued(
        "time from a timestamp without a flag",
        "A timestamp by a known authority is a time of signing, whether or not --use-signed-timestamps is given.",
        BOTH,
        Answer.ACCEPTS,
        lambda question, exhibit, refusal: (
            ("--use-signed-timestamps" not in question.flags and _act(exhibit).log in ("rekor1+tsa", "rekor2", "tsa"))
            or _altered("no-promise")(question, exhibit, refusal)
        ),
    ),
)
