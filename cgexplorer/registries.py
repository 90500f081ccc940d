"""The registry of a reference, ready to be asked: address rules, credentials, and its wish to be left alone."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.utils import timezone

from cgexplorer.oci import docker_config
from cgexplorer.oci import registry as live
from cgexplorer.oci.docker_config import Credentials
from cgexplorer.oci.errors import NotNow, Unauthorized
from cgexplorer.oci.origin import PARALLEL_PER_HOST, Trusted
from cgexplorer.oci.patience import Patience
from cgexplorer.oci.reference import Reference, check_host
from cgexplorer.oci.transport import TRY_LATER_S
from cgexplorer.sealing import Box, CannotOpen
from cgexplorer.store.host_turns import HostTurns
from cgexplorer.store.models import Registry
from cgexplorer.store.queries import registries as stored
from cgexplorer.store.record import registries as record

_REMEMBERED_S = 24 * 3600
_refused_head: dict[str, float] = {}  # hosts that do not answer HEAD, and since when of the monotonic clock


@contextmanager
def connect(
    reference_or_host: Reference | str, *, patience: Patience | None = None, gives_way: bool = False
) -> Iterator[live.Registry]:
    """A source, closed at the end. Credentials stored here come before those of docker's configuration.

    Raises `NotNow` while the registry has asked for silence (Retry-After), in this or in another process; what it asks
    for now is kept for all. Raises `Unauthorized` when credentials cannot be used.

    A host gets at most three requests at the same time from all processes together. Who `gives_way` does not wait for
    one that does not answer while another job waits for it and jobs of other hosts wait for a worker: `NotNow`.
    """
    host = check_host(reference_or_host) if isinstance(reference_or_host, str) else reference_or_host.registry
    row = stored.one(host)
    _heed(row)
    patience = patience or Patience()
    turns = HostTurns(host, PARALLEL_PER_HOST, patience.stop, gives_way=gives_way)
    source = live.connect(
        host,
        trusted=_trusted_by(host, row),
        credentials=_credentials(row),
        token_service=row.token_service if row is not None else "",
        docker_config=docker_config.default_path(),
        patience=patience,
        turns=turns,
    )
    with turns, source:
        if turns.is_for_others():
            raise _not_now(f"{host} does not answer. Another job already waits for it.", TRY_LATER_S)
        known_since = _refused_head.pop(host, None)
        if known_since is not None and time.monotonic() - known_since < _REMEMBERED_S:
            source.answers_head = False
        else:
            known_since = time.monotonic()
        try:
            yield source
        finally:
            if source.answers_head is False:
                _refused_head[host] = known_since
            if source.failure is not None and source.failure.retry_after_s is not None:
                record.ask_again(host, timezone.now() + dt.timedelta(seconds=source.failure.retry_after_s))


def trusted() -> Trusted:
    """What an administrator allows beyond public addresses and https, in the environment or by `add_registry`."""
    listed = stored.listed()
    return Trusted(insecure=settings.INSECURE_REGISTRIES | listed.insecure, private=listed.private)


def _trusted_by(host: str, row: Registry | None) -> Trusted:
    """Where this registry may lead us. One that nobody listed may not send us to those that are: to the token service
    that was named for it, and else to public addresses only."""
    every = trusted()
    names = {host, f"{host}:443", host.removesuffix(":443"), *(["registry-1.docker.io"] if host == "docker.io" else [])}
    if names & (every.insecure | every.private):
        return every
    service = {row.token_service} if row is not None else set()
    return Trusted(insecure=every.insecure & service, private=every.private & service)


def box() -> Box:
    """Seals and opens with the keys of the settings."""
    return Box([settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS])


def _credentials(row: Registry | None) -> Credentials | None:
    kept = getattr(row, "credential", None)
    if row is None or kept is None:
        return None
    try:
        secret = box().open(bytes(kept.sealed), place=stored.place(row.host, kept.username))
    except CannotOpen as error:
        raise Unauthorized(
            f"The stored credentials of {row.host} cannot be opened. {error} Set the old key in SECRET_KEY_FALLBACKS, "
            f"or enter them again: manage.py add_registry {row.host} --username {kept.username}"
        ) from error
    return Credentials(kept.username, secret)


def _heed(row: Registry | None) -> None:
    now = timezone.now()
    until = stored.waits_until(row, now)
    if row is None or until is None:
        return
    reason = f"{row.host} does not want to be asked before {until:%H:%M:%S} UTC (too many requests)."
    raise _not_now(reason, (until - now).total_seconds())


def _not_now(reason: str, after_s: float) -> NotNow:
    error = NotNow(reason)
    error.retry_after_s = after_s
    return error
