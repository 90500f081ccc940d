from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError

from cgexplorer.store.models import Image, TagMove, VerdictRow, VerificationRun
from tests.ingesting import allow, fetch, signed_image

pytestmark = pytest.mark.django_db
HISTORY = (VerificationRun, VerdictRow, TagMove)


@pytest.fixture(autouse=True)
def history() -> None:
    allow()
    fetch(signed_image())


@pytest.mark.parametrize("model", HISTORY)
def test_history_cannot_be_changed(model: type) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {model._meta.db_table} SET id = id")


@pytest.mark.parametrize("model", HISTORY)
def test_history_cannot_be_deleted(model: type) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {model._meta.db_table}")


def test_an_image_with_history_cannot_be_deleted() -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Image.objects.get().delete()
    assert Image.objects.exists()
