"""What is asked about the exhibits: flags that must be met, and flags of which one must not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.interop import signers, trust
from scripts.interop.exhibits import PREDICATES, Act, Form
from scripts.interop.issuer import CI, EMAIL, OTHER_EMAIL
from scripts.interop.signing import Signed

ALL_TYPES = (*PREDICATES, "https://spdx.dev/Document")


@dataclass(frozen=True)
class Question:
    """One call of `verify` or `verify-attestation`, the same for everybody who is asked."""

    exhibit: str
    command: str
    about: str
    reference: str
    flags: tuple[str, ...]
    root: str = "whole"
    expect: bool | None = None  # None: only that all agree
    classic: bool = False  # nothing but classic evidence is beside it


def questions(signed: list[Signed], keys: Path) -> list[Question]:
    return [one for exhibit in signed if not exhibit.not_made for one in _Asking(exhibit, keys).all()]


class _Asking:
    def __init__(self, signed: Signed, keys: Path) -> None:
        self.signed, self.keys = signed, keys
        self.acts = signed.exhibit.acts
        self.classic = all(act.form is not Form.BUNDLE for act in self.acts)

    def all(self) -> Iterator[Question]:
        if not self.acts:
            yield from (
                self._ask(Act(2, Form.CLASSIC, "alice", predicate=one), "unsigned", expect=False)
                for one in ("", "spdxjson")
            )
        elif self.signed.exhibit.name.startswith("altered"):
            yield from self._altered(self.acts[0])
        elif len(self.acts) == 1 and not (self.signed.exhibit.index or self.acts[0].annotations):
            yield from self._simple(self.acts[0])
        else:
            yield from self._several()

    def _altered(self, act: Act) -> Iterator[Question]:
        yield self._ask(act, "as if it were good")
        for flags in (("--insecure-ignore-tlog",), ("--use-signed-timestamps",)):
            yield self._ask(act, f"{flags[0].removeprefix('--')}", waivers=flags)

    def _simple(self, act: Act) -> Iterator[Question]:
        yield self._ask(act, "right", expect=True)
        if signers.is_key(act.signer):
            yield from self._key(act)
        else:
            yield from self._person(act)
        if act.predicate in ("", "slsaprovenance1") and act.signer in ("alice", "p256", "ed25519"):
            yield from self._waivers(act)
        yield from self._types(act)
        if act.signer == "alice" and act.predicate in ("", "slsaprovenance1"):
            yield from self._roots(act)
        if act.signer == "workflow" and act.log == "rekor1":
            yield from self._workflow(act)

    def _key(self, act: Act) -> Iterator[Question]:
        yield self._ask(act, "wrong key", signer="p256-other" if act.signer == "p256" else "p256", expect=False)
        yield self._ask(act, "a person instead of a key", signer="alice", expect=False)
        if act.signer.startswith(("p384", "p521")):
            for size in ("sha384", "sha512"):
                yield self._ask(act, f"digest {size}", flags=(f"--signature-digest-algorithm={size}",))

    def _person(self, act: Act) -> Iterator[Question]:
        person = signers.PEOPLE[act.signer]
        yield self._ask(act, "wrong identity", signer="mallory", issuer=person.issuer, expect=False)
        elsewhere = EMAIL if person.issuer == OTHER_EMAIL else OTHER_EMAIL
        yield self._ask(act, "wrong issuer", issuer=elsewhere, expect=False)
        yield self._ask(act, "a key instead of a person", signer="p256", expect=False)
        if act.signer != "alice" or act.log != "rekor1" or act.predicate not in ("", "slsaprovenance1"):
            return
        identity, issuer = "--certificate-identity", "--certificate-oidc-issuer"
        exact_identity, exact_issuer = f"{identity}={person.identity}", f"{issuer}={person.issuer}"
        for about, flags, expect in (
            ("identity pattern, anchored", (f"{identity}-regexp=^alice@example\\.test$", exact_issuer), True),
            ("identity pattern, found inside", (f"{identity}-regexp=lice@example", exact_issuer), True),
            ("identity pattern, other", (f"{identity}-regexp=^bob@", exact_issuer), False),
            ("identity pattern, other case", (f"{identity}-regexp=^ALICE@", exact_issuer), False),
            ("identity pattern, case folded", (f"{identity}-regexp=(?i)^ALICE@example\\.test$", exact_issuer), True),
            ("identity pattern, alternatives", (f"{identity}-regexp=^(bob|alice)@example\\.test$", exact_issuer), True),
            ("identity pattern, broken", (f"{identity}-regexp=(alice", exact_issuer), False),
            ("identity, other case", (f"{identity}=Alice@example.test", exact_issuer), False),
            ("identity, only its beginning", (f"{identity}=alice@example", exact_issuer), False),
            ("identity with a space behind", (f"{identity}=alice@example.test ", exact_issuer), False),
            ("issuer pattern, anchored", (exact_identity, f"{issuer}-regexp=^https://accounts\\..*\\.test$"), True),
            ("issuer pattern, other", (exact_identity, f"{issuer}-regexp=^https://token\\."), False),
            ("issuer, only its beginning", (exact_identity, f"{issuer}=https://accounts.example"), False),
            ("issuer with a slash behind", (exact_identity, f"{issuer}={person.issuer}/"), False),
            ("both patterns", (f"{identity}-regexp=.*", f"{issuer}-regexp=.*"), True),
            ("wrong identity, right pattern", (f"{identity}=bob@a.test", f"{identity}-regexp=.*", exact_issuer), None),
            ("wrong issuer, right pattern", (exact_identity, f"{issuer}={CI}", f"{issuer}-regexp=.*"), None),
            ("no issuer", (exact_identity,), False),
            ("no identity", (exact_issuer,), False),
            ("nobody", (), False),
        ):  # fmt: skip
            yield self._ask(act, about, who=flags, expect=expect)

    def _waivers(self, act: Act) -> Iterator[Question]:
        for about, flags in (
            ("no log asked", ("--insecure-ignore-tlog",)),
            ("no log asked, timestamps count", ("--insecure-ignore-tlog", "--use-signed-timestamps")),
            ("timestamps count", ("--use-signed-timestamps",)),
            ("no SCT asked", ("--insecure-ignore-sct",)),
            ("log asked", ()),
        ):
            yield self._ask(act, about, waivers=flags)

    def _types(self, act: Act) -> Iterator[Question]:
        yield self._ask(act, "annotation that is not there", flags=("--annotations=environment=production",))
        if not act.predicate:
            yield self._ask(
                act, "attestation wanted", command="verify-attestation", flags=("--type=custom",), expect=False
            )
            return
        if act.signer == "alice" and act.log == "rekor1" and act.form is not Form.ATTACHED:
            yield self._ask(act, "as a signature", command="verify")
            for one in ALL_TYPES if act.predicate in ("spdxjson", "slsaprovenance1", "custom") else ():
                if one != act.predicate:
                    yield self._ask(act, f"type {one}", predicate=one)

    def _roots(self, act: Act) -> Iterator[Question]:
        for root in trust.VARIANTS:
            yield self._ask(act, f"root {root}", root=root)
        for root in ("no-log", "log-ended"):
            yield self._ask(
                act,
                f"root {root}, no log asked",
                root=root,
                waivers=("--insecure-ignore-tlog", "--use-signed-timestamps"),
            )
        yield self._ask(
            act, "root no-ct, no SCT asked", root="no-ct", waivers=(*self._needed(act), "--insecure-ignore-sct")
        )

    def _workflow(self, act: Act) -> Iterator[Question]:
        claims = {
            "trigger": ("push", "pull_request"),
            "sha": (signers.SHA, signers.SHA[::-1]),
            "name": ("Release", "release"),
            "repository": ("acme/app", "acme/ap"),
            "ref": ("refs/heads/main", "refs/heads/mai"),
        }
        right = tuple(f"--certificate-github-workflow-{name}={value}" for name, (value, _) in claims.items())
        yield self._ask(act, "all workflow claims", flags=right, expect=True)
        for name, (value, wrong) in claims.items():
            flag = f"--certificate-github-workflow-{name}="
            yield self._ask(act, f"workflow {name}", flags=(flag + value,), expect=True)
            yield self._ask(act, f"workflow {name}, wrong", flags=(flag + wrong,), expect=False)

    def _several(self) -> Iterator[Question]:
        digests = [self.signed.digest, *self.signed.platforms]
        names = ["index", *(f"platform {number}" for number in range(len(self.signed.platforms)))]
        asked = ["alice", "mallory", "p256", "workflow", "alice-elsewhere"]
        kinds = dict.fromkeys((act.kind, act.predicate) for act in self.acts)
        for digest, name in zip(digests, names, strict=True):
            where = f", {name}" if self.signed.platforms else ""
            for _, predicate in kinds:
                for signer in asked:
                    act = Act(3, Form.BUNDLE, signer, self.acts[-1].log, predicate)
                    yield self._ask(act, f"{predicate or 'signed'} by {signer}{where}", digest=digest)
        if any(act.annotations for act in self.acts):
            act = self.acts[0]
            for pairs in (
                ("environment=production",), ("ticket=42",), ("environment=production", "ticket=42"),
                ("environment=test",), ("ticket=42", "environment=test"), ("Environment=production",),
                ("environment=",),
            ):  # fmt: skip
                yield self._ask(
                    act, "annotations " + " ".join(pairs), flags=tuple(f"--annotations={pair}" for pair in pairs)
                )

    def _needed(self, act: Act) -> tuple[str, ...]:
        """What has to be waived for this log, and that its timestamps are the time."""
        flags = {"tsa": ("--insecure-ignore-tlog", "--use-signed-timestamps"), "none": ("--insecure-ignore-tlog",)}
        return flags.get(act.log, ("--use-signed-timestamps",) if act.log == "rekor2" else ())

    def _who(self, signer: str, issuer: str) -> tuple[str, ...]:
        if signers.is_key(signer):
            return (f"--key={self.keys / signer}.pub",)
        person = signers.PEOPLE[signer]
        return (
            f"--certificate-identity={person.identity}",
            f"--certificate-oidc-issuer={issuer or person.issuer}",
        )

    def _ask(
        self,
        act: Act,
        about: str,
        *,
        signer: str = "",
        issuer: str = "",
        who: tuple[str, ...] | None = None,
        waivers: tuple[str, ...] | None = None,
        flags: tuple[str, ...] = (),
        command: str = "",
        predicate: str = "",
        root: str = "whole",
        digest: str = "",
        expect: bool | None = None,
    ) -> Question:
        kind = command or act.kind
        typed = (f"--type={predicate or act.predicate}",) if kind == "verify-attestation" and not command else ()
        attached = (
            ("--experimental-oci11",)
            if any(one.form is Form.ATTACHED for one in self.acts) and kind == "verify"
            else ()
        )
        signed_by = self._who(signer or act.signer, issuer) if who is None else who
        waived = self._needed(act) if waivers is None else waivers
        return Question(
            exhibit=self.signed.exhibit.name,
            command=kind,
            about=about,
            reference=self.signed.reference.partition("@")[0] + "@" + (digest or self.signed.digest),
            flags=(*signed_by, *waived, *typed, *attached, *flags),
            root=root,
            expect=expect,
            classic=self.classic,
        )
