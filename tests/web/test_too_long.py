from __future__ import annotations

import pytest
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import RequestFactory

from cgexplorer.web.unavailable import DatabaseUnavailableMiddleware


@pytest.mark.django_db
def test_a_question_that_takes_too_long_is_stopped_and_says_so() -> None:
    with pytest.raises(OperationalError) as caught, connection.cursor() as cursor:  # noqa: PT012
        cursor.execute("SET LOCAL statement_timeout = 20")
        cursor.execute("SELECT pg_sleep(10)")
    middleware = DatabaseUnavailableMiddleware(lambda request: HttpResponse())
    response = middleware.process_exception(RequestFactory().get("/packages/?q=a"), caught.value)
    assert response is not None
    assert response.status_code == 503
    assert "took too long" in response.content.decode()
    assert "Retry-After" not in response
