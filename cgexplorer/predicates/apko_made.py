"""Whether an image is what apko makes of its configuration: command, user and variables."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from cgexplorer.predicates.apko import User
from cgexplorer.predicates.reading import Leaf

# What apko puts into every image beside its configuration: pkg/build/oci, the default environment.
_APKO_PATH = frozenset({"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"})
_APKO_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def is_command(built: tuple[str, ...], said: str, kind: str = "") -> bool:
    """As apko makes it: words as a shell splits them, or a fragment for `/bin/sh -c`, or its service supervisor."""
    if kind == "service-bundle":
        return built == ("/bin/s6-svscan", "/sv")
    try:
        words = tuple(shlex.split(said))
    except ValueError:  # an open quotation mark: no shell splits it
        words = (said,)
    return built in (words, ("/bin/sh", "-c", said))


def is_user(built: str, said: str, users: Sequence[User]) -> bool:
    """apko writes the number of the user whom the configuration names; a group may follow it."""
    root = ("", "0", "root")
    user, name = built.partition(":")[0], said.partition(":")[0]
    if user in root and name in root:
        return True
    numbers = {one.uid for one in users if one.name == name}
    if not numbers and name and not name.isdecimal():
        # A user that a package makes: its number is in the image's /etc/passwd, which no document tells.
        return user == name or (user.isdecimal() and user != "0")
    return user == name or user in numbers


def environment(built: Iterable[Leaf], said: Iterable[Leaf]) -> tuple[list[str], list[tuple[str, str, str]]]:
    """What apko added by itself, and what differs: (what, in the configuration, in the image)."""
    image, signed = dict(built), dict(said)
    added, different = [], []
    for name in sorted(image.keys() | signed.keys()):
        if name in image and image[name] == signed.get(name):
            continue
        if name not in signed and _is_apkos(name, image[name]):
            added.append(name)
        else:
            different.append((f"variable {name}", signed.get(name, ""), image.get(name, "")))
    return added, different


def _is_apkos(name: str, value: str) -> bool:
    if name == "PATH":
        return set(value.split(":")) == _APKO_PATH
    return name == "SSL_CERT_FILE" and value == _APKO_CERTIFICATES
