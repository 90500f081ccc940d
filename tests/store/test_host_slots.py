"""Slots for requests to a host, over threads, processes and their sudden ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import psycopg
import pytest
from django.db import connection

from cgexplorer import stopping
from cgexplorer.store import host_slots
from cgexplorer.store.host_slots import HostSlots

pytestmark = pytest.mark.django_db
HOST = "registry.example"
HOLDER = """
import sys, psycopg
session = psycopg.connect(sys.argv[1], autocommit=True)
session.execute("SELECT pg_advisory_lock(%s, slot) FROM unnest(%s::int[]) AS slot", [0x5348, eval(sys.argv[2])])
print("held", flush=True)
input()
"""


def of_another_process(parallel: int = 3) -> HostSlots:
    """Its sessions are its own, as another process's would be; it waits for nothing."""
    return HostSlots(parallel, lambda: True)


def test_three_at_a_host_are_all_that_get_a_slot_and_another_host_has_its_own() -> None:
    with HostSlots(3, stopping.never) as ours, of_another_process() as theirs, ExitStack() as held:
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

    with HostSlots(1, stopping.never) as ours, HostSlots(1, stopping.never) as theirs:
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

    with HostSlots(1, stopping.never) as ours, HostSlots(1, stop.is_set) as theirs, ours.slot(HOST):
        waiting = threading.Thread(target=wait)
        waiting.start()
        until_somebody_waits()
        stop.set()
        waiting.join()
    assert len(ended) == 1


def test_the_slots_of_a_killed_process_are_free() -> None:
    at = connection.settings_dict
    conninfo = psycopg.conninfo.make_conninfo(
        dbname=at["NAME"], user=at["USER"], password=at["PASSWORD"], host=at["HOST"], port=at["PORT"]
    )
    arguments = [sys.executable, "-c", HOLDER, conninfo, repr(host_slots.numbers(HOST, 3))]
    holder = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(stopping.Interrupted), of_another_process() as ours, ours.slot(HOST):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    with HostSlots(3, stopping.never) as ours, ours.slot(HOST):
        pass


def test_a_session_that_breaks_gives_its_slot_back_and_is_not_used_again() -> None:
    with HostSlots(1, stopping.never) as ours:
        with ours.slot(HOST), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s",
                [host_slots._CLASS],
            )
        with ours.slot(HOST):
            pass


def until_somebody_waits() -> None:
    with connection.cursor() as cursor:
        for _ in range(200):
            cursor.execute("SELECT count(*) FROM pg_locks WHERE classid = %s AND NOT granted", [host_slots._CLASS])
            if cursor.fetchone()[0]:
                return
            time.sleep(0.02)
    raise AssertionError("nobody waits")
