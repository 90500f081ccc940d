"""Which registries may be asked how, and what they want to see."""

from __future__ import annotations

import datetime as dt

import msgspec
from django.db.models import Count, Max, QuerySet

from cgexplorer.store.models import Registry, RegistryCredential

PUBLIC = "public"  # https, public addresses: what every registry is that nobody said more about
PRIVATE = "private"  # https, any address
INSECURE = "insecure"  # plain http, any address
ACCESS = (PUBLIC, PRIVATE, INSECURE)


class Listed(msgspec.Struct, frozen=True):
    """Hosts that an administrator listed, by what they may."""

    private: frozenset[str]
    insecure: frozenset[str]


def listed() -> Listed:
    rows = Registry.objects.exclude(access=PUBLIC).values_list("host", "access")
    by_access = {access: frozenset(host for host, its in rows if its == access) for access in (PRIVATE, INSECURE)}
    return Listed(by_access[PRIVATE], by_access[INSECURE])


def one(host: str) -> Registry | None:
    return Registry.objects.select_related("credential").filter(host=host).first()


def credentials() -> QuerySet[RegistryCredential]:
    return RegistryCredential.objects.select_related("registry").order_by("registry__host")


def place(host: str, username: str) -> str:
    """What a secret is sealed for: it opens for no other registry and no other user."""
    return f"registry {host} user {username}"


def registries() -> QuerySet[Registry]:
    """Every registry with how many images it has here and when it was last observed."""
    return (
        Registry.objects.select_related("credential")
        .annotate(images=Count("image", distinct=True), answered_at=Max("image__observed_at"))
        .order_by("host")
    )


def waits_until(row: Registry | None, now: dt.datetime) -> dt.datetime | None:
    """Until when it does not want to be asked, if that lies ahead."""
    until = row.ask_again_at if row is not None else None
    return until if until is not None and until > now else None
