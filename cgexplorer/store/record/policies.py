"""Policies and trust roots, by version and by sha256."""

from __future__ import annotations

import datetime as dt
import hashlib

import msgspec
from django.db import transaction

from cgexplorer.store.models import PolicyRow, TrustRoot
from cgexplorer.store.record import payloads


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
    annotations: dict[str, str] = {}
    require_log: bool = True
    require_sct: bool = True
    use_signed_timestamps: bool = True
    require_timestamp: bool = False
    max_age_s: int = 0


def trust_root(raw: bytes, name: str, *, is_sample: bool = False) -> TrustRoot:
    """The root with these bytes. The first name stays."""
    payloads.put([raw])
    found, _ = TrustRoot.objects.get_or_create(
        sha256=hashlib.sha256(raw).hexdigest(),
        defaults={"name": name, "is_sample": is_sample, "payload_id": payloads.key(raw)},
    )
    return found


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
