"""/api/v1/openapi.json and /api/docs: what can be asked, and what the answers look like. One file, no scripts."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from cgexplorer.web import problems
from cgexplorer.web.api import views as _questions  # noqa: F401  (declares them)
from cgexplorer.web.api.questions import SCHEMAS, api

ROOT = "/api/v1"
EXAMPLES = {
    "api-search": "search?q=openssl%3C3.3.2",
    "api-package": "packages/apk/wolfi/openssl",
    "api-images": "images?state=verified",
    "api-tags": "images/cgr.dev/chainguard/go/tags",
    "api-tag": "images/cgr.dev/chainguard/go/tags/latest",
    "api-digest": "digests/cgr.dev/chainguard/go@sha256:…",
    "api-digest-packages": "digests/cgr.dev/chainguard/go@sha256:…/packages?type=apk",
    "api-verification": "digests/cgr.dev/chainguard/go@sha256:…/verification",
    "api-diff": "diff?from=cgr.dev/chainguard/go:1.25&to=cgr.dev/chainguard/go:1.26",
    "api-drift": "drift?acknowledged=no&limit=100",
}


@cache
def openapi() -> dict[str, Any]:
    """OpenAPI 3.1. Questions come from the views, answers from the structs."""
    found = api.get_openapi_schema(path_prefix=ROOT)
    shapes = [*dict.fromkeys(SCHEMAS.values()), problems.Problem]
    _, components = msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")
    for one in components.values():
        if "properties" in one:
            one["required"] = list(one["properties"])
            for field in one["properties"].values():
                field.pop("default", None)
    paths = {path: {"get": methods["get"]} for path, methods in found["paths"].items()}
    schemas = found["components"]["schemas"] | components
    document = {"openapi": found["openapi"], "info": found["info"], "paths": paths, "components": {"schemas": schemas}}
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))  # statuses are text, as in the file
    return plain


@require_safe
def openapi_json(request: HttpRequest) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(openapi()), content_type="application/json")


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The same for people."""
    document = openapi()
    questions = [
        {
            "path": path,
            "asked": operation["get"],
            "parameters": [_parameter(one) for one in operation["get"]["parameters"] if one["in"] == "query"],
            "answer": SCHEMAS[operation["get"]["operationId"]].__name__,
            "command": f"curl '{request.build_absolute_uri(ROOT)}/{EXAMPLES[operation['get']['operationId']]}'",
        }
        for path, operation in document["paths"].items()
    ]
    schemas = [
        {"name": name, "about": one.get("description", ""), "fields": _fields(one)}
        for name, one in document["components"]["schemas"].items()
        if "properties" in one
    ]
    return render(request, "api/docs.html", {"questions": questions, "schemas": schemas})


def _parameter(one: dict[str, Any]) -> dict[str, str]:
    default = one["schema"].get("default")
    without = "refused" if one["required"] else ""
    if default not in (None, "", False):
        without = f"{default:,}" if isinstance(default, int) else str(default)
    types = type_words(one["schema"]).removesuffix(" or null")
    return {"name": one["name"], "is": types, "without": without, "about": one.get("description", "")}


def _fields(schema: dict[str, Any]) -> list[dict[str, str]]:
    """`shape` is the last word of a type when that is described on the page, too."""
    found = []
    for name, one in schema["properties"].items():
        words, _, last = type_words(one).rpartition(" ")
        is_shape = "properties" in openapi()["components"]["schemas"].get(last, {})
        about = one.get("description", "")
        found.append({"name": name, "type": words, "last": last, "shape": last if is_shape else "", "about": about})
    return found


def type_words(schema: dict[str, Any]) -> str:
    """`list of SearchRow`, `text or null`."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        values = openapi()["components"]["schemas"][name].get("enum")
        return " | ".join(map(str, values)) if values else name
    for several in ("anyOf", "allOf"):
        if several in schema:
            return " or ".join(type_words(one) for one in schema[several])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {type_words(schema.get('items') or {})}"
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return f"object of {type_words(values)}" if isinstance(values, dict) else "object"
    words = {"string": schema.get("format", "text"), "integer": "number", "boolean": "true or false"}
    return str(words.get(schema.get("type", ""), schema.get("type", schema.get("const", "anything"))))
