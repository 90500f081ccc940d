"""A trusted_root.json that a person hands over: read whole, checked whole, or refused in a sentence."""

from __future__ import annotations

from pathlib import Path

from django.core.management.base import CommandError

from cgexplorer.store.models import TrustRoot
from cgexplorer.store.queries import trust
from cgexplorer.store.record.text import storable
from cgexplorer.verify import trust_root
from cgexplorer.verify.errors import VerifyError

MAX_NAME = 64


def read(file: Path) -> bytes:
    """Its bytes, when a verifier can be made of them."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(trust_root.MAX_BYTES + 1)
        trust_root.load(raw, file.name)
    except OSError as error:
        raise CommandError(f"{file} is not a usable trusted root: {error.strerror or error}.") from error
    except VerifyError as error:
        raise CommandError(f"{file} is not a usable trusted root: {str(error).rstrip('.')}.") from error
    return raw


def name(text: str) -> str:
    """A name that an imported root may have."""
    found = text.strip()
    if not found or len(found) > MAX_NAME or storable(found, MAX_NAME) != found or not found.isprintable():
        raise CommandError(f"A trust root needs a printable name of at most {MAX_NAME} characters.")
    if found == trust_root.PUBLIC_GOOD or TrustRoot.objects.filter(name=found, is_sample=True).exists():
        raise CommandError(f"{found!r} is the name of a root that comes with cgexplorer: choose another.")
    return found


def named(text: str) -> TrustRoot:
    """The root that is trusted under this name now."""
    root = trust.current(text)
    if root is None:
        names = sorted(set(TrustRoot.objects.values_list("name", flat=True)))
        raise CommandError(f"No trust root is called {text!r}. There is: {', '.join(names) or 'none'}.")
    return root
