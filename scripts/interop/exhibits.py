"""What is signed, by whom, with which cosign, in which form. Each exhibit is an image in a repository of its own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scripts.interop import signers


class Form(StrEnum):
    CLASSIC = "classic"  # tags sha256-….sig and .att
    ATTACHED = "attached"  # a classic signature as an OCI 1.1 referrer, experimental in cosign
    BUNDLE = "bundle"


class Registry(StrEnum):
    REFERRERS = "referrers"
    FALLBACK = "fallback"  # no referrers API


@dataclass(frozen=True)
class Act:
    """One call of cosign. `log` is a key of trust.CONFIGS; `on` the index, or a platform of it by number."""

    tool: int
    form: Form
    signer: str
    log: str = "rekor1"
    predicate: str = ""  # "" signs, else attests this type
    annotations: tuple[str, ...] = ()
    recursive: bool = False
    on: int | None = None

    @property
    def kind(self) -> str:
        return "verify-attestation" if self.predicate else "verify"


@dataclass(frozen=True)
class Exhibit:
    name: str
    acts: tuple[Act, ...]
    registry: Registry
    index: bool = False
    refused: str = ""  # what cosign says when it will not sign this


PREDICATES = (
    "spdxjson", "cyclonedx", "slsaprovenance", "slsaprovenance1", "vuln", "openvex", "custom",
    "https://example.test/predicate/v1",
)  # fmt: skip
_LOGS = ("rekor1", "rekor1+tsa", "rekor2", "tsa", "none")


def table() -> tuple[Exhibit, ...]:
    made = [*_people(), *_keys(), *_predicates(), *_several()]
    names = [one.name for one in made]
    assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)
    return tuple(made)


def _people() -> list[Exhibit]:
    """Each kind of signer and each log, signed and attested, in each form that the tool has."""
    made = []
    for signer, logs in (("alice", _LOGS[:4]), ("workflow", _LOGS[:3]), ("robot", _LOGS[:1])):
        for log in logs:
            for tool, form in _tools(log):
                for predicate in ("", "slsaprovenance1") if signer != "robot" else ("",):
                    if form is Form.ATTACHED and (predicate or signer != "alice"):
                        continue  # cosign attaches signatures only; one signer is enough to show it
                    what = "attest" if predicate else "sign"
                    name = _name(what, form, f"c{tool}", signer, log)
                    act, place = Act(tool, form, signer, log, predicate), _registry(len(made), form)
                    # cosign 2 asks Rekor v2 for a kind of entry that it no longer takes.
                    refused = "must be hashedrekord" if (tool, log) == (2, "rekor2") else ""
                    made.append(Exhibit(name, (act,), place, refused=refused))
    return made


def _tools(log: str) -> list[tuple[int, Form]]:
    classic = [] if log == "rekor2" else [(2, Form.CLASSIC), (3, Form.CLASSIC), (2, Form.ATTACHED), (3, Form.ATTACHED)]
    return [*classic, (2, Form.BUNDLE), (3, Form.BUNDLE)]


def _keys() -> list[Exhibit]:
    made = []
    for key in signers.KEYS:
        if key.endswith("-other"):
            continue
        for tool, form, log in (
            (2, Form.CLASSIC, "rekor1"),
            (2, Form.CLASSIC, "none"),
            (3, Form.CLASSIC, "none"),
            (2, Form.BUNDLE, "rekor1"),
            (3, Form.BUNDLE, "rekor1"),
            (3, Form.BUNDLE, "rekor2"),
            (3, Form.BUNDLE, "tsa"),
            (3, Form.BUNDLE, "none"),
        ):
            name = _name("sign", form, f"c{tool}", key, log)
            refused = _refusal(form, key, log)
            made.append(Exhibit(name, (Act(tool, form, key, log),), _registry(len(made), form), refused=refused))
    for tool, form, log in ((2, Form.CLASSIC, "rekor1"), (3, Form.BUNDLE, "rekor1"), (3, Form.BUNDLE, "none")):
        name = _name("attest", form, f"c{tool}", "p256", log)
        made.append(Exhibit(name, (Act(tool, form, "p256", log, "spdxjson"),), _registry(len(made), form)))
    return made


def _refusal(form: Form, key: str, log: str) -> str:
    """What cosign says when it does not sign with such a key: it takes SHA-256 for the hash of every key."""
    if key == "ed25519" and form is Form.BUNDLE:
        return "could not verify envelope"
    if log == "rekor1" and key in ("p384", "p521", "ed25519"):
        return "could not verify envelope" if form is Form.BUNDLE else "error processing entry"
    return ""


def _predicates() -> list[Exhibit]:
    made = []
    for predicate in PREDICATES:
        for tool, form in ((2, Form.CLASSIC), (3, Form.BUNDLE)):
            word = predicate.rsplit("/", 2)[-2] if ":" in predicate else predicate
            name = _name("attest", form, f"c{tool}", "alice", word)
            made.append(Exhibit(name, (Act(tool, form, "alice", "rekor1", predicate),), _registry(len(made), form)))
    return made


def _several() -> list[Exhibit]:
    """More than one piece of evidence, on one digest or on several."""
    classic, bundle = Act(2, Form.CLASSIC, "alice"), Act(3, Form.BUNDLE, "alice")
    pairs = ("environment=production", "ticket=42")
    by = {"c2": classic, "c3": bundle}
    made: list[Exhibit] = []

    def add(name: str, *acts: Act, index: bool = False) -> None:
        made.append(Exhibit(name, acts, _registry(len(made), acts[0].form), index=index))

    for word, act in by.items():
        add(f"annotated-{word}", _with(act, annotations=pairs))
        add(f"annotated-twice-{word}", _with(act, annotations=pairs[:1]), _with(act, annotations=pairs[1:]))
        add(f"two-signers-{word}", act, _with(act, signer="mallory"))
        add(f"two-signers-key-{word}", act, _with(act, signer="p256"))
        add(f"same-signer-twice-{word}", act, act)
        add(f"two-issuers-{word}", _with(act, signer="alice-elsewhere"))
        add(f"recursive-{word}", _with(act, recursive=True), index=True)
        add(f"index-only-{word}", act, index=True)
        add(f"platform-only-{word}", _with(act, on=0), index=True)
        add(f"index-alice-platform-mallory-{word}", act, _with(act, signer="mallory", on=0), index=True)
        add(f"three-predicates-{word}", *(_with(act, predicate=one) for one in ("spdxjson", "slsaprovenance1", "vuln")))
        add(
            f"one-type-two-signers-{word}",
            _with(act, predicate="spdxjson"),
            _with(act, predicate="spdxjson", signer="mallory"),
        )
        add(f"signed-and-attested-{word}", act, _with(act, predicate="spdxjson", signer="workflow"))
    add("classic-then-bundle", classic, bundle)
    add("classic-alice-bundle-mallory", classic, _with(bundle, signer="mallory"))
    add("classic-by-both", classic, Act(3, Form.CLASSIC, "alice"))
    add("classic-slsa-bundle-spdx", _with(classic, predicate="slsaprovenance1"), _with(bundle, predicate="spdxjson"))
    add("two-logs", bundle, _with(bundle, log="rekor2"))
    made.append(Exhibit("unsigned", (), Registry.REFERRERS))
    made.append(Exhibit("unsigned-fallback", (), Registry.FALLBACK))
    return made


def _with(act: Act, **changes: object) -> Act:
    return Act(**{**act.__dict__, **changes})


def _name(*words: str) -> str:
    return "-".join(words).replace("+", "-")


def _registry(number: int, form: Form) -> Registry:
    """In turn; what is attached as a referrer needs the API for it."""
    return Registry.REFERRERS if form is Form.ATTACHED or number % 2 else Registry.FALLBACK
