"""The configuration an apko image was built from: packages, accounts, entrypoint, environment.

Source: apko, pkg/build/types (ImageConfiguration); field names as apko writes them.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from cgexplorer.predicates import PredicateError
from cgexplorer.predicates.reading import Leaf, flatten, get, load_object, objects, pairs, text, texts

_KNOWN = ("contents", "archs", "entrypoint", "accounts", "environment", "annotations", "cmd", "layering", "paths")
# apk's world: name, then =version, ~version, >=version …, then @repository.
_WANTED = re.compile(r"^(?P<name>[^=<>~!@]+)(?P<constraint>(?:[=<>~!]+)[^@]*)?(?:@(?P<repository>.+))?$")


class WantedPackage(msgspec.Struct, frozen=True):
    name: str
    version: str = ""  # exact one; "" when only a constraint, or nothing, is asked for
    constraint: str = ""  # as written: "=5.3-r12", ">2", ""
    repository: str = ""


class User(msgspec.Struct, frozen=True):
    name: str
    uid: str
    gid: str
    home: str = ""
    shell: str = ""


class Group(msgspec.Struct, frozen=True):
    name: str
    gid: str
    members: tuple[str, ...] = ()


class Path(msgspec.Struct, frozen=True):
    path: str
    type: str
    uid: str = ""
    gid: str = ""
    permissions: str = ""  # octal, "0777"
    source: str = ""
    recursive: bool = False


class ImageConfiguration(msgspec.Struct, frozen=True):
    packages: tuple[WantedPackage, ...] = ()
    repositories: tuple[str, ...] = ()
    build_repositories: tuple[str, ...] = ()
    runtime_repositories: tuple[str, ...] = ()
    keyring: tuple[str, ...] = ()
    archs: tuple[str, ...] = ()
    run_as: str = ""
    users: tuple[User, ...] = ()
    groups: tuple[Group, ...] = ()
    entrypoint_type: str = ""
    entrypoint: str = ""  # the command, else the shell fragment
    services: tuple[Leaf, ...] = ()
    cmd: str = ""
    work_dir: str = ""
    stop_signal: str = ""
    environment: tuple[Leaf, ...] = ()
    annotations: tuple[Leaf, ...] = ()
    paths: tuple[Path, ...] = ()
    volumes: tuple[str, ...] = ()
    layering: tuple[Leaf, ...] = ()
    vcs_url: str = ""
    include: str = ""
    other: tuple[Leaf, ...] = ()  # fields that this version of cgexplorer has no name for

    def flat(self) -> dict[str, str]:
        """Path to value, for comparing two configurations. Lists are compared by their items, not their places."""
        values = {f"contents.packages.{one.name}": one.constraint or "any" for one in self.packages}
        for name in ("repositories", "build_repositories", "runtime_repositories", "keyring"):
            values |= {f"contents.{name}.{one}": "listed" for one in getattr(self, name)}
        values |= {
            "archs": " ".join(sorted(self.archs)),
            "accounts.run-as": self.run_as,
            "entrypoint.type": self.entrypoint_type,
            "entrypoint.command": self.entrypoint,
            "cmd": self.cmd,
            "work-dir": self.work_dir,
            "stop-signal": self.stop_signal,
            "vcs-url": self.vcs_url,
            "include": self.include,
            "volumes": " ".join(sorted(self.volumes)),
        }
        values |= {f"accounts.users.{one.name}": f"{one.uid}:{one.gid} {one.home} {one.shell}" for one in self.users}
        values |= {f"accounts.groups.{one.name}": " ".join((one.gid, *one.members)) for one in self.groups}
        values |= {
            f"paths.{one.path}": " ".join((one.type, one.permissions, f"{one.uid}:{one.gid}", one.source))
            for one in self.paths
        }
        for name in ("environment", "annotations", "layering", "services", "other"):
            values |= {f"{name}.{path}": value for path, value in getattr(self, name)}
        return {path: value.strip() for path, value in values.items() if value.strip()}


def parse(raw: bytes) -> ImageConfiguration:
    """Read an apko image configuration; fields of a wrong type are empty. Raises PredicateError."""
    found = load_object(raw)
    if not any(key in found for key in _KNOWN):
        raise PredicateError(
            "This is no apko image configuration: it has none of contents, archs, accounts, entrypoint."
        )
    contents, accounts, entrypoint = found.get("contents"), found.get("accounts"), found.get("entrypoint")
    named = {*_KNOWN, "work-dir", "stop-signal", "volumes", "vcs-url", "include"}
    other = {key: value for key, value in found.items() if key not in named}
    return ImageConfiguration(
        packages=tuple(wanted(one) for one in texts(get(contents, "packages"))),
        repositories=texts(get(contents, "repositories")),
        build_repositories=texts(get(contents, "build_repositories")),
        runtime_repositories=texts(get(contents, "runtime_repositories")),
        keyring=texts(get(contents, "keyring")),
        archs=texts(found.get("archs")),
        run_as=text(get(accounts, "run-as")),
        users=tuple(_user(one) for one in objects(get(accounts, "users"))),
        groups=tuple(
            Group(text(one.get("groupname")), text(one.get("gid")), texts(one.get("members")))
            for one in objects(get(accounts, "groups"))
        ),
        entrypoint_type=text(get(entrypoint, "type")),
        entrypoint=text(get(entrypoint, "command")) or text(get(entrypoint, "shell-fragment")),
        services=flatten(services) if (services := get(entrypoint, "services")) else (),
        cmd=text(found.get("cmd")),
        work_dir=text(found.get("work-dir")),
        stop_signal=text(found.get("stop-signal")),
        environment=pairs(found.get("environment")),
        annotations=pairs(found.get("annotations")),
        paths=tuple(_path(one) for one in objects(found.get("paths"))),
        volumes=texts(found.get("volumes")),
        layering=pairs(found.get("layering")),
        vcs_url=text(found.get("vcs-url")),
        include=text(found.get("include")),
        other=flatten(other) if other else (),
    )


def wanted(line: str) -> WantedPackage:
    """`bash=5.3-r12` and `go~1.26@local` as apk reads them; a line that it would not read is all name."""
    match = _WANTED.match(line.strip())
    if match is None:
        return WantedPackage(line.strip())
    constraint = (match["constraint"] or "").strip()
    version = constraint[1:] if constraint.startswith("=") and constraint[1:2] not in ("=", "~") else ""
    return WantedPackage(match["name"].strip(), version, constraint, match["repository"] or "")


def _user(one: dict[str, Any]) -> User:
    return User(
        name=text(one.get("username")),
        uid=text(one.get("uid")),
        gid=text(one.get("gid")),
        home=text(one.get("homedir")),
        shell=text(one.get("shell")),
    )


def _path(one: dict[str, Any]) -> Path:
    permissions = one.get("permissions")
    octal = f"{permissions:04o}" if isinstance(permissions, int) and 0 <= permissions < 1 << 32 else text(permissions)
    return Path(
        path=text(one.get("path")),
        type=text(one.get("type")),
        uid=text(one.get("uid")),
        gid=text(one.get("gid")),
        permissions=octal,
        source=text(one.get("source")),
        recursive=one.get("recursive") is True,
    )
