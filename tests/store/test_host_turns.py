"""Turns at a host, over threads, processes and their sudden ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest
from django.db import connection

from cgexplorer import jobs, stopping
from cgexplorer.oci.errors import OutOfTime
from cgexplorer.store import host_turns
from cgexplorer.store.host_turns import HostTurns
from cgexplorer.store.models import Activity

pytestmark = pytest.mark.django_db
HOST = "registry.example"
HOLDER = """
import sys, psycopg
session = psycopg.connect(sys.argv[1], autocommit=True)
session.execute("SELECT pg_advisory_lock(%s, slot) FROM unnest(%s::int[]) AS slot", [0x5348, eval(sys.argv[2])])
print("held", flush=True)
input()
"""


@pytest.fixture(autouse=True)
def empty_queue() -> Iterator[None]:
    """Procrastinate's tables are not emptied between tests, because Django does not manage them."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")


def of_another_process(parallel: int = 3) -> HostTurns:
    """Its sessions are its own, as another process's would be; it waits for nothing."""
    return HostTurns(HOST, parallel, lambda: True)


def test_three_at_a_host_are_all_that_get_a_slot_and_another_host_has_its_own() -> None:
    with HostTurns(HOST, 3, stopping.never) as ours, of_another_process() as theirs, ExitStack() as held:
        for one in (ours, theirs, ours):
            held.enter_context(one.slot(HOST))
        with pytest.raises(stopping.Interrupted), theirs.slot(HOST):
            pass
        with theirs.slot("another.example"):
            pass


def test_who_waits_gets_the_slot_that_is_given_back() -> None:
    got = threading.Event()

    def wait() -> None:
        with theirs.slot(HOST):
            got.set()

    with HostTurns(HOST, 1, stopping.never) as ours, HostTurns(HOST, 1, stopping.never) as theirs:
        with ours.slot(HOST):
            waiting = threading.Thread(target=wait)
            waiting.start()
            until_somebody_waits()
            assert not got.is_set()
        waiting.join()
    assert got.is_set()


def test_a_process_that_is_to_stop_waits_no_longer() -> None:
    stop = threading.Event()
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            with theirs.slot(HOST):
                pass
        except stopping.Interrupted as error:
            ended.append(error)

    with HostTurns(HOST, 1, stopping.never) as ours, HostTurns(HOST, 1, stop.is_set) as theirs, ours.slot(HOST):
        waiting = threading.Thread(target=wait)
        waiting.start()
        until_somebody_waits()
        stop.set()
        waiting.join()
    assert len(ended) == 1


def test_a_job_does_not_wait_longer_than_it_may_ask() -> None:
    """A frozen process holds its slots without end."""
    with HostTurns(HOST, 1, stopping.never) as frozen, HostTurns(HOST, 1, stopping.never) as ours:
        with frozen.slot(HOST), pytest.raises(OutOfTime, match="frozen"), ours.slot(HOST, 0):
            pass
        with ours.slot(HOST, 0):
            pass


def test_the_slots_of_a_killed_process_are_free() -> None:
    at = connection.settings_dict
    conninfo = psycopg.conninfo.make_conninfo(
        dbname=at["NAME"], user=at["USER"], password=at["PASSWORD"], host=at["HOST"], port=at["PORT"]
    )
    arguments = [sys.executable, "-c", HOLDER, conninfo, repr(host_turns.numbers(HOST, 3))]
    holder = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(stopping.Interrupted), of_another_process() as ours, ours.slot(HOST):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    with HostTurns(HOST, 3, stopping.never) as ours, ours.slot(HOST):
        pass


def test_a_session_that_breaks_gives_its_slot_back_and_is_not_used_again() -> None:
    with HostTurns(HOST, 1, stopping.never) as ours:
        with ours.slot(HOST), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s",
                [host_turns._SLOT],
            )
        with ours.slot(HOST):
            pass


def job_for(name: str) -> None:
    """One that a worker would begin now."""
    activity = Activity.objects.create(kind="fetch", subject=f"{name}/app:1")
    jobs.fetch.defer(activity_id=activity.pk)


def giving_way(registry: str = HOST) -> HostTurns:
    return HostTurns(registry, 3, stopping.never, gives_way=True)


@pytest.mark.django_db(transaction=True)
def test_one_job_waits_for_a_silent_registry_while_jobs_of_others_are_to_do() -> None:
    with giving_way() as one, giving_way() as other, giving_way("another.example") as elsewhere:
        assert one.may_wait()
        job_for(HOST)
        assert other.may_wait()  # nothing else would be done instead
        assert not other.is_for_others()
        job_for("another.example")
        assert one.may_wait()
        assert not other.may_wait()
        assert other.is_for_others()
        assert elsewhere.may_wait()
    with giving_way() as next_one:  # the right to wait went with the job that had it
        assert not next_one.is_for_others()
        assert next_one.may_wait()


@pytest.mark.django_db(transaction=True)
def test_who_sits_at_a_terminal_waits_in_any_case() -> None:
    with giving_way() as job, HostTurns(HOST, 3, stopping.never) as command:
        assert job.may_wait()
        job_for("another.example")
        assert command.may_wait()
        assert not command.is_for_others()


def until_somebody_waits() -> None:
    with connection.cursor() as cursor:
        for _ in range(200):
            cursor.execute("SELECT count(*) FROM pg_locks WHERE classid = %s AND NOT granted", [host_turns._SLOT])
            if cursor.fetchone()[0]:
                return
            time.sleep(0.02)
    raise AssertionError("nobody waits")
