"""Keep a repository current: ask every followed tag where it points, fetch what is not stored.

    list → choose → ask each tag (one HEAD) → keep what is unchanged → fetch each changed digest → move its tags

A round is a `Sync`; its digests are its items. Any number of processes may work on it, each item by one of them. Killed
anywhere, whoever takes the round up finds done what is done: a look that was cut off begins anew, an item is fetched
again, and tags move last.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import batched, count
from threading import Lock

import msgspec
from django.db import Error as DatabaseError
from django.db import transaction
from django.utils import timezone

from cgexplorer import ingest, stopping
from cgexplorer.oci import choice
from cgexplorer.oci import reference as references
from cgexplorer.oci.errors import NotFound, NotNow, OciError, OutOfTime, Unreachable
from cgexplorer.oci.origin import PARALLEL_PER_HOST
from cgexplorer.oci.reference import Reference
from cgexplorer.oci.registry import Registry
from cgexplorer.store.models import Image, Manifest, Sync, SyncItem
from cgexplorer.store.queries import follows, history
from cgexplorer.store.record import activities, images, syncs, tags
from cgexplorer.store.record.follows import Wish

logger = logging.getLogger(__name__)

BATCH = 100  # tags whose answers are stored together
MAX_SILENCES = 3  # tags or digests in a row without an answer, after which the registry is taken to be down


def wish(sync: Sync) -> Wish:
    """What this round keeps current: as the repository is followed, else its stored tags; or the one tag it is for."""
    followed = follows.follow(sync.name)
    platforms = tuple(followed.platforms) if followed else ()
    if sync.tag:
        return Wish(sync.name, (sync.tag,), platforms=platforms)
    if followed is not None:
        return Wish(sync.name, tuple(followed.tags), followed.newest, platforms, followed.every_s)
    stored = Image.objects.filter(name=sync.name).first()
    return Wish(sync.name, tuple(follows.tags(stored)) if stored else ())


def work(sync: Sync, source: Registry, *, until: float | None = None) -> bool:
    """Ask the tags unless that is done or somebody does it; then fetch digests while there are any, or until a moment
    of the monotonic clock. Gives whether that moment ended it, and not that all is done or in others' hands.

    Raises `Interrupted` between two digests, and OciError when the registry cannot be asked for its tags, or goes down:
    what is stored stays as it is.
    """
    asked_for = wish(sync)
    with syncs.looking(sync) as is_mine:
        sync.refresh_from_db()
        if is_mine and sync.looked_at is None and sync.finished_at is None:
            look(sync, asked_for, source)
    silences = 0
    counted = _Requests(sync, source)
    try:
        while until is None or time.monotonic() < until:
            stopping.check()
            with syncs.claimed(sync) as item:
                if item is None:
                    return False
                problem = _fetch(item, asked_for, source, counted)
            silences = silences + 1 if isinstance(problem, Unreachable) else 0
            if problem is not None and silences >= MAX_SILENCES:
                raise problem
    finally:
        counted.add()
    return True


def look(sync: Sync, asked_for: Wish, source: Registry) -> None:
    """Ask every tag where it points, store what that says, and note which digests are to be fetched.

    When the time for asking is over, the tags that were not asked are counted as a failure with its reason, and are the
    first to be asked the next time: nothing that was found is lost, and no tag waits for ever.
    """
    reference = references.parse(asked_for.name)
    syncs.begin_look(sync)
    activities.progress(sync.activity_id, "Reading the list of tags", 0, 0)
    image = Image.objects.filter(name=asked_for.name).first()
    known = follows.tags(image) if image else {}
    with _counting(sync, source):
        names = _names(asked_for, source, reference.repository, known)
    longest_ago = {tag: number for number, tag in enumerate(known)}
    names.sort(key=lambda tag: longest_ago.get(tag, -1))
    syncs.count(sync, syncs.Counts(found=len(names)))
    asker = _Asker(source, reference.repository)
    with ThreadPoolExecutor(PARALLEL_PER_HOST) as pool:
        for done, batch in zip(count(0, BATCH), batched(names, BATCH), strict=False):
            if not Sync.objects.filter(pk=sync.pk, finished_at=None).exists():
                return  # it was unfollowed
            activities.progress(sync.activity_id, "Asking the tags where they point", done, len(names))
            stopping.check()
            now = timezone.now()
            with _counting(sync, source):
                answers = list(pool.map(asker.ask, batch))
            if isinstance(asker.silence, OutOfTime):
                unasked = [*(one.tag for one in answers if isinstance(one.problem, OutOfTime)), *names[done + BATCH :]]
                answers = [one for one in answers if not isinstance(one.problem, OutOfTime)]
                reason = f"{asker.silence} The next round begins with the {len(unasked)} tags that were not asked."
                syncs.add_failed(sync, unasked[0], reason, now)
            elif asker.silence is not None:
                raise asker.silence
            if any(isinstance(one.problem, NotFound) and one.tag in known for one in answers):
                _check_repository(source, reference.repository)
            _store(sync, asked_for, image, known, answers, now)
            if asker.silence is not None:
                break
    if image is not None:
        images.image(reference, timezone.now())
    activities.progress(sync.activity_id, "Fetching and verifying what changed", len(names), len(names))
    syncs.looked(sync)


def _names(asked_for: Wish, source: Registry, repository: str, known: Iterable[str]) -> list[str]:
    """The tags to ask. Those that are stored and no longer listed are asked too: a list may be late or cut."""
    if asked_for.tags and not any(map(choice.is_glob, asked_for.tags)):
        return choice.choose((), asked_for.tags)
    listed = dict.fromkeys(source.tags(repository))
    missed = [tag for tag in known if tag not in listed and choice.is_meant(tag, asked_for.tags)]
    return list(dict.fromkeys([*choice.choose(listed, asked_for.tags, asked_for.newest), *missed]))


def _check_repository(source: Registry, repository: str) -> None:
    """Before a tag is taken for gone. Raises NotFound when the registry does not know the repository either, as a proxy
    says of everything while the registry behind it starts (Traefik), and Unreachable."""
    try:
        next(source.tags(repository), "")
    except (NotFound, Unreachable):
        raise
    except OciError as error:
        logger.info("Taken for no news of its tags: %s", error)  # not everybody may read the list


class _Answer(msgspec.Struct, frozen=True):
    tag: str
    digest: str = ""
    problem: OciError | None = None


class _Asker:
    """Asks for tags from several threads. After some silences in a row nobody waits for the others."""

    def __init__(self, source: Registry, repository: str) -> None:
        self.silence: Unreachable | None = None
        self._source, self._repository = source, repository
        self._silences = 0
        self._lock = Lock()

    def ask(self, tag: str) -> _Answer:
        if self.silence is not None:
            return _Answer(tag, problem=self.silence)
        try:
            digest = self._source.resolve(self._repository, tag)
        except OciError as error:
            self._note(error)
            return _Answer(tag, problem=error)
        self._note(None)
        return _Answer(tag, digest)

    def _note(self, error: OciError | None) -> None:
        with self._lock:
            self._silences = self._silences + 1 if isinstance(error, Unreachable) else 0
            is_over = isinstance(error, NotNow | OutOfTime) or self._silences >= MAX_SILENCES
            if self.silence is None and isinstance(error, Unreachable) and is_over:
                self.silence = error


@transaction.atomic
def _store(
    sync: Sync, asked_for: Wish, image: Image | None, known: dict[str, str], answers: list[_Answer], now: dt.datetime
) -> None:
    """What a batch of answers says: unchanged, moved to what is stored, gone, to be fetched, failed."""
    if image is not None:
        images.lock(image)  # what is settled now stays so until its tags have moved
    pointed = {answer.tag: answer.digest for answer in answers if answer.digest}
    settled = follows.settled(image, set(pointed.values()), asked_for.platforms, now) if image else {}
    to_fetch: dict[str, list[str]] = defaultdict(list)
    for tag, digest in pointed.items():
        if digest not in settled:
            to_fetch[digest].append(tag)
    if image is not None:
        tags.observe(image, {tag: settled[digest] for tag, digest in pointed.items() if digest in settled}, now)
    for digest, names in to_fetch.items():
        syncs.add(sync, digest, names, now)
    absent = [answer.tag for answer in answers if isinstance(answer.problem, NotFound)]
    gone = tags.gone(image, absent, now) if image and absent else []
    for answer in answers:
        if answer.problem is None or answer.tag in gone or (answer.tag in absent and _was_there(image, answer.tag)):
            continue
        syncs.add_failed(sync, answer.tag, str(answer.problem), now)
    unchanged = sum(digest in settled and known.get(tag) == digest for tag, digest in pointed.items())
    syncs.count(sync, syncs.Counts(unchanged=unchanged, gone=len(gone)))


def _was_there(image: Image | None, tag: str) -> bool:
    """It was missed before: that is known, and no news in every round."""
    return image is not None and bool(history.timeline(image, tag))


def _fetch(item: SyncItem, asked_for: Wish, source: Registry, counted: _Requests) -> OciError | None:
    """Fetch and verify one digest; then, in one transaction, its tags move and it is done. Or why that failed."""
    named = references.parse(asked_for.name)
    reference = Reference(named.registry, named.repository, digest=item.digest)
    before = source.failure
    try:
        report = ingest.ingest(reference, source, trigger="ingest", now=timezone.now(), platforms=asked_for.platforms)
    except NotNow:
        syncs.broken_off(item)
        raise
    except OciError as error:
        if not isinstance(error, Unreachable) or item.attempts >= syncs.MAX_ATTEMPTS:
            syncs.fail(item, str(error))
        return error
    except stopping.Interrupted:
        syncs.broken_off(item)
        raise
    except DatabaseError:
        raise  # a restart; the item is still to do
    except Exception as error:
        logger.exception("%s could not be taken in.", reference)
        syncs.fail(item, f"{type(error).__name__}: {error}")
        return None
    if source.failure is not before and item.attempts < syncs.MAX_ATTEMPTS:
        return source.failure  # what could be read is stored; the rest is asked for again
    with transaction.atomic():
        manifest = Manifest.objects.select_related("image").get(image__name=named.name, digest=item.digest)
        tags.observe(manifest.image, dict.fromkeys(item.tags, manifest), item.seen_at)
        syncs.done(item, verdict=report.manifests[0].state, manifests=len(report.manifests))
        counted.add()
    return None


class _Requests:
    """Those that were sent for a round and are not counted in it yet."""

    def __init__(self, sync: Sync, source: Registry) -> None:
        self._sync, self._source, self._counted = sync, source, source.requests

    def add(self) -> None:
        if new := self._source.requests - self._counted:
            self._counted += new
            syncs.add_requests(self._sync, new)


@contextmanager
def _counting(sync: Sync, source: Registry) -> Iterator[None]:
    requests = _Requests(sync, source)
    try:
        yield
    finally:
        requests.add()
