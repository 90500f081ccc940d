"""Policies, by version."""

from __future__ import annotations

import datetime as dt

import msgspec
from django.db import transaction

from cgexplorer.store.judges import as_policy
from cgexplorer.store.models import PolicyRow, TrustRoot
from cgexplorer.store.record.text import storable
from cgexplorer.verify.errors import Fault, VerifyError
from cgexplorer.verify.signer import check_policy


class PolicyFields(msgspec.Struct, frozen=True):
    """What a policy says; everything but its name and version."""

    pattern: str
    issuer: str = ""
    issuer_regexp: str = ""
    identity: str = ""
    identity_regexp: str = ""
    key_pem: str = ""
    key_digest: str = ""
    not_before: dt.datetime | None = None
    not_after: dt.datetime | None = None
    workflow_trigger: str = ""
    workflow_sha: str = ""
    workflow_name: str = ""
    workflow_repository: str = ""
    workflow_ref: str = ""
    threshold: int = 1
    required_types: list[str] = []
    annotations: dict[str, str] = {}
    require_log: bool = True
    require_sct: bool = True
    use_signed_timestamps: bool = True
    require_timestamp: bool = False
    max_age_s: int = 0


class UnusablePolicy(Exception):
    """It could never be met, or would allow anybody. `str(error)` is a sentence."""


def check(name: str, fields: PolicyFields) -> None:
    """Raises UnusablePolicy."""
    if not name.strip() or len(name) > 100 or not fields.pattern.strip() or len(fields.pattern) > 511:
        raise UnusablePolicy("A policy needs a name of at most 100 and a pattern of at most 511 characters.")
    texts = (name, *(text for field in fields.__struct_fields__ if isinstance(text := getattr(fields, field), str)))
    if any(storable(text, len(text)) != text for text in texts):
        raise UnusablePolicy("A policy is text in UTF-8, without NUL: one of the values given is not.")
    row = PolicyRow(name=name, **{field: getattr(fields, field) for field in fields.__struct_fields__})
    try:
        check_policy(as_policy(row))
    except Fault as fault:
        raise UnusablePolicy(f"This policy cannot be used: expected {fault.expected}, found {fault.found}.") from None
    except VerifyError as error:
        raise UnusablePolicy(f"This policy cannot be used: {error}") from None


@transaction.atomic
def policy(name: str, fields: PolicyFields, root: TrustRoot | None = None) -> PolicyRow:
    """The policy of this name as it now is. A change appends a version, so that old verdicts stay explained."""
    wanted = msgspec.structs.asdict(fields) | {"trust_root": root}
    current = PolicyRow.objects.select_for_update().filter(name=name, current=True).first()
    if current is not None and all(getattr(current, field) == value for field, value in wanted.items()):
        return current
    newest = PolicyRow.objects.filter(name=name).order_by("-version").values_list("version", flat=True).first() or 0
    PolicyRow.objects.filter(name=name, current=True).update(current=False)
    return PolicyRow.objects.create(name=name, version=newest + 1, **wanted)


@transaction.atomic
def follow(root: TrustRoot) -> list[PolicyRow]:
    """New versions of the policies that name an older root of this name, or a newer one: they now name this one."""
    behind = PolicyRow.objects.filter(current=True, trust_root__name=root.name).exclude(trust_root=root)
    return [policy(row.name, _fields(row), root) for row in behind.order_by("name")]


def _fields(row: PolicyRow) -> PolicyFields:
    return PolicyFields(**{name: getattr(row, name) for name in PolicyFields.__struct_fields__})
