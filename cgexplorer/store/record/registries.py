"""What an administrator says of a registry, and what it says of itself."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest

from cgexplorer.sealing import Box
from cgexplorer.store.models import Registry, RegistryCredential
from cgexplorer.store.queries import registries


@transaction.atomic
def registry(host: str, *, access: str | None = None, token_service: str | None = None) -> Registry:
    """The registry with these properties; None leaves one as it is."""
    row, _ = Registry.objects.get_or_create(host=host)
    if access is not None:
        row.access = access
    if token_service is not None:
        row.token_service = token_service
    row.save()
    return row


def credential(row: Registry, username: str, secret: str, box: Box, now: dt.datetime) -> None:
    sealed = box.seal(secret, place=registries.place(row.host, username))
    RegistryCredential.objects.update_or_create(
        registry=row, defaults={"username": username, "sealed": sealed, "set_at": now}
    )


def forget_credential(row: Registry) -> bool:
    """Whether there was one."""
    return RegistryCredential.objects.filter(registry=row).delete()[0] > 0


def reseal(row: RegistryCredential, box: Box) -> None:
    """The same secret under the newest key. Raises CannotOpen."""
    place = registries.place(row.registry.host, row.username)
    sealed = box.seal(box.open(bytes(row.sealed), place=place), place=place)
    RegistryCredential.objects.filter(pk=row.pk, sealed=row.sealed).update(sealed=sealed)


def ask_again(host: str, at: dt.datetime) -> None:
    """It does not want to be asked before. Of two such answers the later date holds."""
    Registry.objects.filter(host=host).update(ask_again_at=Greatest(F("ask_again_at"), at))
