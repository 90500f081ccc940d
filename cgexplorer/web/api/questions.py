"""How a question is asked of the API: declared once, for the address, for its parameters and for the documentation."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from ninja import NinjaAPI
from ninja.decorators import decorate_view
from ninja.errors import ValidationError

from cgexplorer.spdx.query import QueryError
from cgexplorer.store.queries.references import UnknownReference
from cgexplorer.web import errors, problems
from cgexplorer.web.reading import may_be_late

type View = Callable[..., HttpResponseBase]

# Its own pages of documentation want scripts from elsewhere: ours are in `documents`.
api = NinjaAPI(
    title="cgexplorer",
    version="1",
    description="What is in signed container images, and the proof of it. Reads only.",
    openapi_url=None,
    docs_url=None,
    urls_namespace="api",
)
SCHEMAS: dict[str, type] = {}  # of what questions answer, by the question's name
_PROBLEM = {"content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def question(
    path: str, name: str, shape: type, *, may_miss: bool = False, late: bool = False
) -> Callable[[View], View]:
    """A view of GET and HEAD. The first line of its docstring is the summary, the rest the description.

    `late`: may be read from a replica.
    """
    SCHEMAS[name] = shape
    responses: dict[int, Any] = {
        200: {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{shape.__name__}"}}}},
        400: {"description": "The question cannot be read", **_PROBLEM},
        503: {"description": "The database is away, or took too long", **_PROBLEM},
    }
    if may_miss:
        responses[404] = {"description": "Nothing stored has this name", **_PROBLEM}

    def register(view: View) -> View:
        summary, _, description = inspect.getdoc(view).partition("\n")  # type: ignore[union-attr]
        asked = api.api_operation(
            ["GET", "HEAD"],
            path,
            url_name=name,
            operation_id=name,
            summary=summary.removesuffix("."),
            description=description.strip() or None,
            openapi_extra={"responses": dict(sorted(responses.items()))},
        )
        view.__doc__ = description.strip()  # which is shown beside the summary
        around: list[Callable[..., Any]] = [_only(_parameters(view)), *([may_be_late] if late else [])]
        asked(decorate_view(*around)(view))
        return view

    return register


def _parameters(view: View) -> list[str]:
    given = [one for one in inspect.signature(view).parameters.values() if one.default is not one.empty]
    return [getattr(one.default, "alias", None) or one.name for one in given]


def _only(known: list[str]) -> Callable[[View], View]:
    """Refuses other parameters: a misspelt one would change the answer in silence."""

    def decorator(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **given: Any) -> HttpResponseBase:
            for name in request.GET:
                if name not in known:
                    there = f"there is {', '.join(known)}" if known else "there are none"
                    return problems.response(400, f"There is no parameter {name[:64]!r} here; {there}.")
            return view(request, *args, **given)

        return checked

    return decorator


@api.exception_handler(QueryError)
def _unreadable(request: HttpRequest, error: QueryError) -> HttpResponseBase:
    return problems.response(400, str(error))


@api.exception_handler(UnknownReference)
def _unknown(request: HttpRequest, error: UnknownReference) -> HttpResponseBase:
    return problems.response(404, str(error))


@api.exception_handler(Http404)
def _missing(request: HttpRequest, error: Http404) -> HttpResponseBase:
    return problems.response(404, errors.sentence(error))


@api.exception_handler(ValidationError)
def _refused(request: HttpRequest, error: ValidationError) -> HttpResponseBase:
    said = "; ".join(f"{one['loc'][-1]}: {one['msg'][:1].lower()}{one['msg'][1:]}" for one in error.errors)
    return problems.response(400, f"{said}.")
