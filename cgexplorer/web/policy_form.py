"""The form that says who may sign what: it checks a policy, shows what it would decide, and makes the command for it.

All of it is a GET: nothing is stored from here. Why: docs/decisions, "A policy is written at the command line".
"""

from __future__ import annotations

import datetime as dt
import re
import shlex
from typing import Any

import msgspec
from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from cgexplorer.store.models import PolicyRow
from cgexplorer.store.queries import trust
from cgexplorer.store.record.policies import PolicyFields, UnusablePolicy, check
from cgexplorer.verify import required, signer
from cgexplorer.web.render import render_page

CHAINGUARD_ISSUER = "https://issuer.enforce.dev"
MAX_IMAGES_NAMED = 20
PUBLIC_GOOD_OF_THE_DAY = "Sigstore's public-good root of the day"
SIGNERS = (
    ("certificate", "a certificate"),
    ("chainguard", "Chainguard, for a private catalogue"),
    ("key", "a key"),
)
CLAIMS = ("trigger", "sha", "name", "repository", "ref")
_UIDP = re.compile(r"[0-9a-f]{4,64}(/[0-9a-f]{4,64})*")  # "unique identifier path" of a Chainguard identity
_LOOSE_DOT = re.compile(r"(?<!\\)\.(?![*+?{])")


class Draft(msgspec.Struct, frozen=True):
    """A policy that could be used, and what would come of it."""

    row: PolicyRow  # not stored
    command: str
    warnings: tuple[str, ...]
    images: tuple[str, ...]  # stored ones that it would decide for
    replaces: int  # version of the policy of this name; 0 = there is none


def root_choices() -> list[tuple[str, str]]:
    return [("", PUBLIC_GOOD_OF_THE_DAY), *((name, name) for name in trust.private_names())]


class PolicyForm(forms.Form):
    name = forms.CharField(max_length=100)
    match = forms.CharField(max_length=511)
    signer = forms.ChoiceField(choices=SIGNERS, required=False)
    issuer = forms.CharField(required=False, max_length=1000)
    issuer_pattern = forms.BooleanField(required=False)
    identity = forms.CharField(required=False, max_length=1000)
    identity_pattern = forms.BooleanField(required=False)
    image_syncer = forms.CharField(required=False, max_length=200)
    custom_image_builder = forms.CharField(required=False, max_length=200)
    key = forms.CharField(required=False, max_length=4000, strip=True)
    not_before = forms.DateField(required=False)
    not_after = forms.DateField(required=False)
    workflow_trigger = forms.CharField(required=False, max_length=1000)
    workflow_sha = forms.CharField(required=False, max_length=1000)
    workflow_name = forms.CharField(required=False, max_length=1000)
    workflow_repository = forms.CharField(required=False, max_length=1000)
    workflow_ref = forms.CharField(required=False, max_length=1000)
    require_type = forms.MultipleChoiceField(required=False, choices=[(name, name) for name in required.FAMILIES])
    threshold = forms.IntegerField(required=False, min_value=1, max_value=100)
    max_age_days = forms.IntegerField(required=False, min_value=0, max_value=20_000)
    require_timestamp = forms.BooleanField(required=False)
    no_log = forms.BooleanField(required=False)
    trust_root = forms.ChoiceField(required=False, choices=root_choices)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        try:
            check(cleaned["name"], self.policy())
        except UnusablePolicy as error:
            raise ValidationError(str(error)) from None
        return cleaned

    def policy(self) -> PolicyFields:
        """Raises ValidationError naming the field that is wrong."""
        said = self.cleaned_data
        return PolicyFields(
            pattern=said["match"],
            **self._who(),
            **{f"workflow_{claim}": said[f"workflow_{claim}"] for claim in CLAIMS},
            required_types=[required.predicate_type(name) for name in said["require_type"]],
            threshold=said["threshold"] or 1,
            max_age_s=(said["max_age_days"] or 0) * 86400,
            require_timestamp=said["require_timestamp"],
            require_log=not said["no_log"],
        )

    def _who(self) -> dict[str, Any]:
        said = self.cleaned_data
        if said["signer"] == "key":
            ends = {end: _start_of(said[end]) for end in ("not_before", "not_after")}
            return {"key_pem": said["key"] + "\n" if said["key"] else "", **ends}
        if said["signer"] == "chainguard":
            return {"issuer": CHAINGUARD_ISSUER, **_chainguard(said["image_syncer"], said["custom_image_builder"])}
        return {
            f"{what}{'_regexp' * said[f'{what}_pattern']}": said[what] for what in ("issuer", "identity") if said[what]
        }

    def draft(self) -> Draft | None:
        """What the form describes; None while something in it is wrong or missing."""
        if not self.is_valid():
            return None
        name, fields = self.cleaned_data["name"], self.policy()
        row = PolicyRow(name=name, **{field: getattr(fields, field) for field in fields.__struct_fields__})
        known = PolicyRow.objects.filter(name=name, current=True).first()
        root = self.cleaned_data["trust_root"]
        row.trust_root = trust.current(root) if root else None
        row.version = known.version + 1 if known else 1
        return Draft(
            row=row,
            command=command(name, fields, root),
            warnings=() if self.cleaned_data["signer"] == "chainguard" and fields.require_log else warnings(fields),
            images=trust.images_decided_by(name, fields.pattern),
            replaces=known.version if known else 0,
        )


def _chainguard(*ids: str) -> dict[str, str]:
    given = list(dict.fromkeys(filter(None, ids)))
    if not given:
        raise ValidationError("Give at least one of the two ids.")
    for one in given:
        if not _UIDP.fullmatch(one):
            raise ValidationError(
                f"{one[:80]!r} is not the id of an identity, such as 720909c9f5279097/b6461e99e132298f."
            )
    return {"identity_regexp": f"{re.escape(CHAINGUARD_ISSUER)}/({'|'.join(given)})"}


def _start_of(day: dt.date | None) -> dt.datetime | None:
    return dt.datetime.combine(day, dt.time(), dt.UTC) if day else None


def warnings(fields: PolicyFields) -> tuple[str, ...]:
    """What is allowed by more than its author may have meant."""
    found = []
    for what, pattern in (("issuer", fields.issuer_regexp), ("identity", fields.identity_regexp)):
        if _LOOSE_DOT.search(pattern):
            found.append(f"In the pattern of the {what} a dot stands for any character. Write \\. for a dot.")
        if re.search(r"\.[*+]\$?$", pattern):
            found.append(
                f"The pattern of the {what} ends with “anything”: every branch, tag or longer name is allowed too."
            )
        if pattern and not signer.is_anchored(pattern):
            found.append(
                f"Here the pattern of the {what} must match the whole value. cosign searches it anywhere: there it "
                f"also allows longer names, unless it is written ^(?:{pattern})$."
            )
    if not fields.require_log:
        found.append("Without a log nobody can find out that a stolen key or a deceived authority has signed.")
        if not fields.key_pem and not fields.require_timestamp:
            found.append("Without a timestamp either, a certificate counts only until it ends.")
    if fields.not_after and not fields.require_log and not fields.require_timestamp:
        found.append(
            "A signature whose time neither a log nor a timestamp proves is refused, because the key has an end."
        )
    return tuple(found)


def command(name: str, fields: PolicyFields, trust_root: str = "") -> str:
    """The line that stores it."""
    period = {flag: getattr(fields, flag) for flag in ("not_before", "not_after")}
    flags: list[tuple[str, str]] = [
        ("name", name),
        ("match", fields.pattern),
        ("issuer", fields.issuer),
        ("issuer-regexp", fields.issuer_regexp),
        ("identity", fields.identity),
        ("identity-regexp", fields.identity_regexp),
        ("key", "cosign.pub" if fields.key_pem else ""),
        *((flag.replace("_", "-"), f"{day:%Y-%m-%d}") for flag, day in period.items() if day),
        *((f"workflow-{claim}", getattr(fields, f"workflow_{claim}")) for claim in CLAIMS),
        *(("require-type", one) for one in fields.required_types),
        ("trust-root", trust_root),
        ("threshold", str(fields.threshold) if fields.threshold > 1 else ""),
        ("max-age-days", str(fields.max_age_s // 86400) if fields.max_age_s else ""),
    ]
    switches = [("require-timestamp", fields.require_timestamp), ("no-log", not fields.require_log)]
    # With `=`, because a value may begin with a dash.
    words = [f"--{flag}={shlex.quote(value)}" for flag, value in flags if value]
    words += [f"--{switch}" for switch, on in switches if on]
    return " \\\n  ".join(["manage.py add_policy", *words])


@require_safe
def policy_form(request: HttpRequest) -> HttpResponse:
    form = PolicyForm(request.GET) if request.GET else PolicyForm(initial={"signer": "certificate"})
    draft = form.draft() if request.GET else None
    context = {
        "form": form,
        "draft": draft,
        "signers": SIGNERS,
        "chosen": form["signer"].value() or "certificate",
        "claims": [(claim, form[f"workflow_{claim}"]) for claim in CLAIMS],
        "families": required.FAMILIES,
        "roots": root_choices(),
        "more": len(draft.images) - MAX_IMAGES_NAMED if draft else 0,
    }
    return render_page(request, "policies/new.html", "answer", context)
