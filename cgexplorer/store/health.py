"""Is everything there that cgexplorer needs to answer?"""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from cgexplorer.verify import trust_root
from cgexplorer.verify.errors import TrustRootError


def faults() -> list[str]:
    """What is wrong, a sentence each; [] when all is well. The queue lives in the database and is ready with it."""
    found = []
    try:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            found.append("The database schema is older than the program: run manage.py migrate.")
    except DatabaseError as error:
        found.append(f"The database does not answer: {type(error).__name__}.")
    try:
        trust_root.public_good()
    except TrustRootError as error:
        found.append(str(error))
    return found
