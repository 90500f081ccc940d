"""cgexplorer itself over the exhibits, through its own commands and a database of its own."""

from __future__ import annotations

import io
import os
from pathlib import Path
from urllib.parse import quote

import django
import psycopg
from django.core.management import call_command
from psycopg import sql

from cgexplorer import embedded_pg
from scripts.interop import signers
from scripts.interop.signing import Desk, Signed

DATABASE = "interop"


def open_empty(home: Path, registries: list[str]) -> None:
    """Point Django at an empty database and let it make the tables. Once a process, before anything of Django."""
    where = embedded_pg.ensure_running(home)
    with psycopg.connect(embedded_pg.conninfo(home, "postgres"), autocommit=True) as connection:
        name = sql.Identifier(DATABASE)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    os.environ["DATABASE_URL"] = (
        f"postgresql://{where['user']}@/{DATABASE}?host={quote(where['host'], safe='')}&port={where['port']}"
    )
    os.environ["CGEXPLORER_INSECURE_REGISTRIES"] = ",".join(registries)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cgexplorer.settings")
    django.setup()
    call_command("migrate", verbosity=0)


def add(desk: Desk, signed: Signed) -> str:
    """Fetch it under the policy that its first signer meets. Returns what was printed."""
    act, told = signed.exhibit.acts[0], io.StringIO()
    name, _, _ = signed.reference.partition("@")
    options = ["--name", signed.exhibit.name, "--match", name, "--trusted-root", str(desk.trust.root())]
    if signers.is_key(act.signer):
        options += ["--key", str(desk.keys / f"{act.signer}.pub")]
    else:
        person = signers.PEOPLE[act.signer]
        options += ["--issuer", person.issuer, "--identity", person.identity]
    if act.log in ("tsa", "none"):
        options.append("--no-log")
    call_command("add_policy", *options, stdout=told)
    call_command("add_image", signed.reference, stdout=told)
    return told.getvalue()
