"""`python -m tests.reading_replica FOLDER`: a web process with a primary and a standby, and which of them it asks.

Prints a JSON object of steps: status, whether the primary and the replica were asked, whether the page shows the image.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import django
from django.conf import settings

settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402
from django.test import Client  # noqa: E402

from cgexplorer.store import replica  # noqa: E402
from tests.standby import Pair  # noqa: E402
from tests.store import factories as make  # noqa: E402


def main(pair: Pair) -> dict[str, object]:
    steps: dict[str, object] = {}
    client = Client()

    def get(step: str, path: str) -> None:
        asked: Counter[str] = Counter()

        def counting(alias: str):
            def wrapper(execute, sql, params, many, context):
                asked[alias] += "store_" in sql
                return execute(sql, params, many, context)

            return wrapper

        with ExitStack() as stack:
            for alias in connections:
                stack.enter_context(connections[alias].execute_wrapper(counting(alias)))
            response = client.get(path)
        shows = "here.example/one" in response.text
        steps[step] = [response.status_code, bool(asked["default"]), bool(asked["replica"]), shows]

    replica.CHECK_EVERY_S = 0.0
    call_command("migrate", verbosity=0)
    make.tag(make.manifest(make.image("here.example/one")))
    pair.caught_up()
    get("a list", "/images/")
    get("a search", "/packages/?q=openssl")
    get("an image", "/images/here.example/one")
    get("work", "/activities/")
    steps["said when it keeps up"] = client.get("/readyz").text
    client.post("/follows/", {})
    get("after a post", "/images/")
    client.cookies.clear()

    pair.pause()
    make.image("here.example/two")
    settings.REPLICA_MAX_LAG_S = 0.0
    get("too far behind", "/images/")
    steps["said when it is behind"] = client.get("/readyz").text
    settings.REPLICA_MAX_LAG_S = 3600.0
    get("a little behind", "/images/")

    replica.CHECK_EVERY_S = 3600.0
    pair.stop_standby()
    get("gone on the way", "/images/")
    replica.CHECK_EVERY_S = 0.0
    get("gone", "/images/")
    steps["said when it is gone"] = client.get("/readyz").text
    return steps


if __name__ == "__main__":
    print(json.dumps(main(Pair(Path(sys.argv[1])))))
