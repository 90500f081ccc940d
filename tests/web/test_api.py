"""/api/v1: the same answers as pages and commands, refusals in sentences, and a description that is true."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import jsonschema
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, transaction
from django.test import Client
from psycopg.errors import QueryCanceled

from cgexplorer.store.models import Tag
from cgexplorer.web.api.documents import SCHEMAS, openapi
from tests.web.happened import NGINX, drifted

pytestmark = pytest.mark.django_db
DIGEST = "{digest}"  # in an address below: the first platform of nginx:latest


@pytest.fixture(scope="module")
def digest(django_db_setup: None, django_db_blocker) -> Iterator[str]:
    """The sample images, stored once for all tests of this file that ask for them, which only read."""
    with django_db_blocker.unblock(), transaction.atomic():
        call_command("load_samples", verbosity=0)
        drifted()
        index = Tag.objects.get(image__name=NGINX, name="latest").manifest
        yield index.entries.select_related("manifest").order_by("position")[0].manifest.digest
        transaction.set_rollback(True)


def get(client: Client, path: str, status: int = 200, **query: Any) -> Any:
    response = client.get(f"/api/v1/{path}", query)
    content = b"".join(response.streaming_content) if response.streaming else response.content
    assert response.status_code == status, content
    assert response["Content-Type"] == ("application/json" if status == 200 else "application/problem+json")
    return json.loads(content)


QUESTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "api-search": ("search", {"q": "openssl"}),
    "api-package": ("packages/apk/wolfi/libssl3", {}),
    "api-images": ("images", {}),
    "api-tags": (f"images/{NGINX}/tags", {}),
    "api-tag": (f"images/{NGINX}/tags/latest", {}),
    "api-digest": (f"digests/{NGINX}@{DIGEST}", {}),
    "api-digest-packages": (f"digests/{NGINX}@{DIGEST}/packages", {"type": "apk", "sort": "version"}),
    "api-verification": (f"digests/{NGINX}@{DIGEST}/verification", {}),
    "api-diff": ("diff", {"from": f"{NGINX}:1.29.8", "to": f"{NGINX}:latest", "platform": "linux/amd64"}),
    "api-drift": ("drift", {}),
}


def exactly(name: str) -> dict[str, Any]:
    """The schema of an answer, in which nothing may be that is not described."""
    schemas = copy.deepcopy(openapi()["components"]["schemas"])
    for one in schemas.values():
        if "properties" in one:
            one["additionalProperties"] = False
    return {"$ref": f"#/components/schemas/{SCHEMAS[name].__name__}", "components": {"schemas": schemas}}


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_answer_is_as_the_description_says(digest: str, client: Client, name: str) -> None:
    path, query = QUESTIONS[name]
    answer = get(client, path.replace(DIGEST, digest), **query)
    jsonschema.validate(answer, exactly(name), jsonschema.Draft202012Validator)
    assert next((value for value in answer.values() if isinstance(value, list) and value), True)


def test_an_index_is_described_too(digest: str, client: Client) -> None:
    index = Tag.objects.get(image__name=NGINX, name="latest").manifest.digest
    answer = get(client, f"digests/{NGINX}@{index}")
    jsonschema.validate(answer, exactly("api-digest"), jsonschema.Draft202012Validator)
    assert (answer["is_index"], answer["platform"], len(answer["platforms"])) == (True, None, 2)
    assert digest in [one["digest"] for one in answer["platforms"]]


SAME = [
    ({"q": "openssl"}, ["openssl"]),
    ({"q": "openssl<3.6.3"}, ["openssl<3.6.3"]),
    ({"q": "ssl", "part": "1"}, ["ssl", "--contains"]),
    ({"q": "openssl", "scope": "all", "unverified": "1"}, ["openssl", "--scope", "all", "--include-unverified"]),
    ({"q": "pkg:apk/wolfi/libssl3"}, ["pkg:apk/wolfi/libssl3"]),
    ({"q": "license:Apache-*", "type": "apk"}, ["license:Apache-*", "--type", "apk"]),
    ({"q": "log4j-core"}, ["log4j-core"]),
]


@pytest.mark.parametrize(("query", "command"), SAME, ids=lambda one: " ".join(one) if isinstance(one, list) else "")
def test_page_command_and_api_give_the_same_answer(
    digest: str, client: Client, capsys, query: dict[str, str], command: list[str]
) -> None:
    call_command("search", *command, "--format", "json")
    printed = json.loads(capsys.readouterr().out)
    assert printed == get(client, "search", **query)
    assert printed == client.get("/packages.json", query).json()


def test_a_search_in_pages_has_the_rows_of_the_whole(digest: str, client: Client, capsys) -> None:
    whole, rows, after = get(client, "search", q="openssl")["results"], [], ""
    assert len(whole) > 3
    while True:
        page = get(client, "search", q="openssl", limit=3, after=after)
        call_command("search", "openssl", "--format", "json", "--limit", "3", "--after", after)
        assert json.loads(capsys.readouterr().out) == page
        rows += page["results"]
        after = page["next"]
        if not after:
            break
    assert rows == whole


def test_diff_and_verification_are_those_of_their_pages(digest: str, client: Client) -> None:
    path, query = QUESTIONS["api-diff"]
    assert get(client, path, **query) == client.get(f"/compare.json?{urlencode(query)}").json()
    page = client.get(f"/images/{NGINX}@{digest}/-/verification.json").json()
    assert get(client, f"digests/{NGINX}@{digest}/verification") == page
    run = page["subjects"][0]["run"]["number"]
    assert get(client, f"digests/{NGINX}@{digest}/verification", run=run)["digest"] == digest


def test_drift_comes_in_pages_newest_first(digest: str, client: Client) -> None:
    whole = get(client, "drift")
    assert whole["next"] is None
    assert whole["events"] == client.get("/drift.json").json()["events"]
    first = get(client, "drift", limit=1)
    rest = get(client, "drift", before=first["next"])
    assert first["events"] + rest["events"] == whole["events"]


@pytest.mark.parametrize(
    ("path", "query", "status", "says"),
    [
        ("search", {}, 400, "Type the name of a package"),
        ("search", {"q": "openssl<<3"}, 400, "no version constraint"),
        ("search", {"q": "a" * 201}, 400, "at most 200"),
        ("search", {"q": "openssl", "unverifed": "1"}, 400, "There is no parameter 'unverifed' here; there is q, v"),
        ("search", {"q": "openssl", "limit": "0"}, 400, "limit: input should be greater"),
        ("search", {"q": "openssl", "limit": "100001"}, 400, "limit: input should be less"),
        ("search", {"q": "openssl", "scope": "past"}, 400, "scope: "),
        ("search", {"q": "openssl", "after": "~"}, 400, "has to be `next` of an answer"),
        ("packages/apk/wolfi/nothing", {}, 404, "No stored image holds a package wolfi/nothing"),
        ("images", {"state": "good"}, 400, "state: "),
        ("images/samples.example/nothing/tags", {}, 404, "No image samples.example/nothing is stored"),
        (f"digests/{NGINX}@sha256:{'0' * 64}", {}, 404, "No digest sha256:000"),
        (f"digests/{NGINX}@sha256:123", {}, 404, "Nothing stored has this address."),
        (f"digests/{NGINX}@{DIGEST}/verification", {"run": "999999999"}, 404, "No such run"),
        ("diff", {"from": f"{NGINX}:latest"}, 400, "to: field required"),
        ("diff", {"from": f"{NGINX}:latest", "to": f"{NGINX}:9"}, 404, "no stored tag 9"),
        ("drift", {"kind": "weather"}, 400, "kind: "),
        ("drift", {"before": "x"}, 400, "before: "),
        ("nothing", {}, 404, "Nothing stored has this address."),
    ],
)
def test_a_refusal_is_a_problem_with_a_sentence(
    digest: str, client: Client, path: str, query: dict[str, str], status: int, says: str
) -> None:
    problem = get(client, path.replace(DIGEST, digest), status, **query)
    assert says in problem["detail"]
    assert problem["detail"].endswith(".")
    assert problem["status"] == status
    jsonschema.validate(problem, exactly("api-search") | {"$ref": "#/components/schemas/Problem"})


@pytest.mark.parametrize(
    ("cause", "says"), [(QueryCanceled(), "took too long"), (None, "does not answer")], ids=["too long", "away"]
)
def test_a_database_that_does_not_answer_is_a_503(
    client: Client, monkeypatch: pytest.MonkeyPatch, cause: Exception | None, says: str
) -> None:
    def broken(*args: object, **options: object) -> None:
        raise OperationalError("gone") from cause

    monkeypatch.setattr("cgexplorer.web.search.search", broken)
    assert says in get(client, "search", 503, q="openssl")["detail"]


def test_nothing_can_be_written(client: Client) -> None:
    for path, _ in QUESTIONS.values():
        assert client.post(f"/api/v1/{path.replace(DIGEST, 'sha256:' + '0' * 64)}").status_code == 405


def test_every_question_is_in_the_openapi_document(client: Client) -> None:
    document = client.get("/api/v1/openapi.json").json()
    assert document == openapi()
    asked = {operation["operationId"] for methods in document["paths"].values() for operation in methods.values()}
    assert asked == {*SCHEMAS} == {*QUESTIONS}
    assert document["openapi"].startswith("3.1")
    assert all(path.startswith("/api/v1/") for path in document["paths"])
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_what_the_openapi_document_refers_to_is_in_it() -> None:
    text = json.dumps(openapi())
    named = {part.partition('"')[0] for part in text.split('"$ref": "#/components/schemas/')[1:]}
    assert named <= {*openapi()["components"]["schemas"]}


def test_people_read_the_same_without_scripts_from_elsewhere(client: Client) -> None:
    page = client.get("/api/docs").content.decode()
    for path, methods in openapi()["paths"].items():
        assert path in page
        assert methods["get"]["summary"] in page
    assert "//cdn" not in page
    assert page.count("<script") == client.get("/states/").content.decode().count("<script")


def test_the_command_refuses_what_the_api_refuses() -> None:
    with pytest.raises(CommandError, match="--limit is from 1 to 100,000"):
        call_command("search", "openssl", "--limit", "0")
