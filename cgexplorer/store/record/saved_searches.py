"""Saved searches and their answers, image by image, in the transaction that changes what is found there.

Decision 13 says why: neither the change nor its event is ever there without the other.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import msgspec
from django.db import OperationalError, transaction
from psycopg.errors import QueryCanceled

from cgexplorer import drift
from cgexplorer.spdx.query import QueryError, Scope, parse
from cgexplorer.store.models import Image, SavedAnswer, SavedSearch, TagMove, VerificationRun
from cgexplorer.store.queries import saved_searches as queries
from cgexplorer.store.queries.package_names import names
from cgexplorer.store.queries.rows import rows
from cgexplorer.store.queries.saved_searches import NOTHING, Answer
from cgexplorer.store.record import drift as events
from cgexplorer.store.record.images import lock
from cgexplorer.store.record.text import storable

MAX_SEARCHES = 2000
MAX_NAME = 100  # characters
MAX_SEARCH_S = 5  # that one search may hold up what is being recorded
MAX_LOOK_S = 20  # that all of them may
PUT_OFF = "Others took too long before it; it is asked again within the hour."
TOO_LONG = f"The database gave it up after {MAX_SEARCH_S} seconds; write more of what is wanted."
_LOCK = 0x63675353  # writers share it, saving a search is alone: no change falls between it and its first answer


class CannotSave(ValueError):
    """`str(error)` is a sentence for the person who wanted to."""


class Wish(msgspec.Struct, frozen=True):
    """The whole state of /packages/, as typed."""

    q: str
    v: str = ""
    type: str = ""
    scope: Scope = "current"
    include_unverified: bool = False
    by_part: bool = False


@transaction.atomic
def save(name: str, wish: Wish, now: dt.datetime) -> SavedSearch:
    """Keep it, with what it finds now, which raises no event. Raises QueryError and CannotSave.

    A name that no package has stands for names that contain it, as on the page, and is saved as that.
    """
    name = " ".join(storable(name, MAX_NAME + 1).split())
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise CannotSave(f"Give the search a name of 1 to {MAX_NAME} characters, such as “old openssl”.")
    query = parse(wish.q, wish.v, wish.type)
    _alone()
    if SavedSearch.objects.filter(name=name).exists():
        raise CannotSave(f"A search is saved as “{name}” already: remove it first, or give this one another name.")
    if SavedSearch.objects.count() >= MAX_SEARCHES:
        raise CannotSave(f"{MAX_SEARCHES:,} searches are saved, and more are not kept: remove one first.")
    found = _in_time(partial(names, query, by_part=wish.by_part))
    by_part = wish.by_part or any(one.matched_by == "part of the name" for one in (*found.found, *found.unordered))
    search = SavedSearch.objects.create(
        name=name, q=wish.q, v=wish.v, type=wish.type, scope=wish.scope, include_unverified=wish.include_unverified,
        by_part=by_part and query.can_match_part, names=queries.names_of(query), saved_at=now,
    )  # fmt: skip
    SavedAnswer.objects.bulk_create(
        SavedAnswer(search=search, image_id=image, held=queries.encoded(answer.held), digests=answer.digests)
        for image, answer in _in_time(partial(queries.answers, search)).items()
    )
    return search


@transaction.atomic
def remove(**which: str | int) -> str:
    """Forget the search of this `name` or `pk`, and its answers; its events stay. Its name, "" when there is none."""
    _alone()
    found = SavedSearch.objects.filter(**which).first()
    if found is None:
        return ""
    found.delete()
    return found.name


class Cause(msgspec.Struct):
    """What is being recorded: completed inside `watching`, for the events that come of it."""

    manifests: list[int]
    run: VerificationRun | None = None
    moves: Sequence[TagMove] = ()


@contextmanager
def watching(image: Image, manifests: Iterable[int], now: dt.datetime) -> Iterator[Cause]:
    """Tell of saved searches whose answer in this image is another one afterwards: because of these manifests, or of
    those that they name. Begin in the transaction that changes them, behind the image's lock and before all else."""
    cause = Cause(list(manifests))
    is_watched = begin()
    before = queries.shown(cause.manifests) if is_watched else {}
    yield cause
    after = queries.shown(cause.manifests) if is_watched else {}
    differing = [sbom for sbom in {*before, *after} if before.get(sbom) != after.get(sbom)]
    if differing:
        look(queries.touched(differing), image, now, cause)


def look(searches: Sequence[SavedSearch], image: Image, now: dt.datetime, cause: Cause) -> None:
    """What each finds in this image now, and an event where that is not what it found before.

    One that cannot be answered keeps its last answer and says why. Inside a transaction that holds the image's lock.
    """
    known = {one.search_id: one for one in SavedAnswer.objects.filter(search__in=searches, image=image)}
    until = time.monotonic() + MAX_LOOK_S
    for search in searches:
        answer = known.get(search.pk) or SavedAnswer(search=search, image=image, held=queries.encoded(()))
        try:
            if time.monotonic() > until:
                raise QueryError(PUT_OFF)
            found = _in_time(partial(queries.answers, search, image.pk)).get(image.pk, NOTHING)
        except QueryError as error:
            answer.problem = storable(str(error), 500)
            answer.save()
        else:
            _keep(answer, found, now, cause)


def look_everywhere(search: SavedSearch, now: dt.datetime) -> None:
    """What no change of an image shows: a name that a document elsewhere gave, what was removed from the store, what
    could not be answered before. Only images where something differs are locked, each by itself."""
    try:
        found = _in_time(partial(queries.answers, search))
    except QueryError as error:
        SavedSearch.objects.filter(pk=search.pk).update(problem=storable(str(error), 500))
        return
    SavedSearch.objects.filter(pk=search.pk).exclude(problem="").update(problem="")
    known = {one.image_id: one for one in SavedAnswer.objects.filter(search=search)}
    for image in Image.objects.filter(pk__in=[*found, *known]).order_by("pk"):
        one = known.get(image.pk)
        if one is None or one.problem or _said(one) != found.get(image.pk, NOTHING):
            _look_again(search, image, now)


@transaction.atomic
def _look_again(search: SavedSearch, image: Image, now: dt.datetime) -> None:
    lock(image)
    if begin():
        look(list(SavedSearch.objects.filter(pk=search.pk)), image, now, Cause([]))


def _keep(answer: SavedAnswer, found: Answer, now: dt.datetime, cause: Cause) -> None:
    before = _said(answer)
    if before == found and not answer.problem and (answer.pk or found == NOTHING):
        return
    findings = drift.answers(before.held, found.held)
    answer.held, answer.digests, answer.problem = queries.encoded(found.held), found.digests, ""
    if findings:
        answer.changes, answer.changed_at = answer.changes + 1, now
    answer.save()
    for finding in findings:
        events.of_search(answer, finding, cause.run, cause.moves, now)


def _said(answer: SavedAnswer) -> Answer:
    return Answer(queries.held(answer), answer.digests)


def _in_time[T](ask: Callable[[], T]) -> T:
    """Raises QueryError, also when it takes too long; the transaction goes on."""
    ((usual,),) = rows("SELECT current_setting('statement_timeout')")
    try:
        with transaction.atomic():
            rows("SELECT set_config('statement_timeout', %s, true)", [f"{MAX_SEARCH_S}s"])
            found = ask()
            rows("SELECT set_config('statement_timeout', %s, true)", [usual])
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise QueryError(TOO_LONG) from error
        raise
    return found


def begin() -> bool:
    """Whether a search is saved; none comes or goes until the transaction ends."""
    rows("SELECT 1 FROM (SELECT pg_advisory_xact_lock_shared(%s)) locked", [_LOCK])
    return SavedSearch.objects.exists()


def _alone() -> None:
    rows("SELECT 1 FROM (SELECT pg_advisory_xact_lock(%s)) locked", [_LOCK])
