"""By which rules it was judged: policies, keys and trust roots, each as a file that cosign can be given."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cgexplorer.export import cosign
from cgexplorer.store.judges import as_policy
from cgexplorer.store.models import PolicyRow, TrustRoot, VerdictRow
from cgexplorer.store.queries import payloads
from cgexplorer.store.queries.exports import Subject
from cgexplorer.verify.policy import Policy


class _Policy(msgspec.Struct, frozen=True, omit_defaults=True):
    """A policy as it decided."""

    pattern: str  # of the image names that it is for
    trusted_root_sha256: str
    rules: Policy  # patterns match whole values
    key_file: str = ""  # the first of `key_files`
    key_files: tuple[str, ...] = ()


class _Root(msgspec.Struct, frozen=True):
    name: str
    sha256: str
    file: str


class _File(msgspec.Struct, frozen=True):
    policies: tuple[_Policy, ...]
    trusted_roots: tuple[_Root, ...]
    schema: str = "cgexplorer.policy/1"


class Rules:
    """Names of the files that hold keys and trust roots; the first of each has the name that everybody expects."""

    def __init__(self, subjects: tuple[Subject, ...], roots: str = "") -> None:
        """`roots`: a folder that trust roots are kept in for several, "" = beside the other files."""
        policies = {
            one.row.policy.pk: one.row.policy for subject in subjects for one in subject.judged if one.row.policy
        }
        # A policy without a root of its own was judged by the public-good root of its day.
        self._root_of = {
            one.row.policy.pk: one.row.trusted_root_sha256
            for subject in subjects
            for one in subject.judged
            if one.row.policy
        }
        self._policies = sorted(policies.values(), key=lambda one: (one.name, one.version))
        self._roots: dict[str, TrustRoot] = {root.sha256: root for subject in subjects for root in subject.trust_roots}
        self._root_names = {
            sha256: f"{roots}{sha256}.json"
            if roots
            else "trusted_root.json"
            if number == 0
            else f"trusted_root-{number + 1}.json"
            for number, sha256 in enumerate(self._roots)
        }
        keys = [
            (one.pk, signed_by, pem)
            for one in self._policies
            if one.key_pem
            for signed_by, (_, pem) in cosign.key_files(one).items()
        ]
        # By policy and by the identity of who signs with it.
        self._keys = {
            (pk, signed_by): (cosign.KEY if number == 0 else f"cosign-{number + 1}.pub", pem)
            for number, (pk, signed_by, pem) in enumerate(keys)
        }

    def flags(self, row: VerdictRow) -> list[str] | None:
        """cosign's flags for who must have signed, and by which root; None when nobody can be named."""
        policy, root = row.policy, self._root_names.get(row.trusted_root_sha256)
        key, _ = self._keys.get((policy.pk if policy else 0, row.identity), ("", ""))
        key = key or next(iter(self._key_files(policy)), "")
        signer = cosign.signer_flags(policy, row.identity, row.issuer, key)
        if signer is None or root is None:
            return None
        return [f"--trusted-root={root}", *signer, *cosign.how(policy, row.time_source)]

    def unasked(self) -> list[str]:
        """What the policies ask and cosign is not asked."""
        return [sentence for policy in self._policies for sentence in cosign.unasked(policy)]

    def files(self) -> Iterator[tuple[str, bytes]]:
        for name, pem in self._keys.values():
            yield name, pem.encode()
        for sha256, root in self._roots.items():
            yield self._root_names[sha256], payloads.content(root.payload)
        whole = _File(
            policies=tuple(map(self._policy, self._policies)),
            trusted_roots=tuple(
                _Root(one.name, sha256, self._root_names[sha256]) for sha256, one in self._roots.items()
            ),
        )
        yield "policy.json", msgspec.json.format(msgspec.json.encode(whole), indent=2)

    def _policy(self, row: PolicyRow) -> _Policy:
        return _Policy(
            pattern=row.pattern,
            trusted_root_sha256=self._root_of[row.pk],
            rules=as_policy(row),
            key_file=next(iter(self._key_files(row)), ""),
            key_files=self._key_files(row),
        )

    def _key_files(self, row: PolicyRow | None) -> tuple[str, ...]:
        return tuple(name for (pk, _), (name, _) in self._keys.items() if row is not None and pk == row.pk)
