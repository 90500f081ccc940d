"""A newer trust root by TUF: taken when it is rightly signed, newer and fresh, refused by name when it is not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cgexplorer.oci.origin import Trusted
from cgexplorer.oci.transport import Patience, Transport
from cgexplorer.verify import trust_refresh
from cgexplorer.verify.errors import MirrorUnreachable, RefreshRefused, TrustRootError
from cgexplorer.verify.trust_refresh import Refreshed, Versions
from tests.fakes.tuf import TARGET, FakeTuf
from tests.verify.world import SIGSTORE, STRANGER

OLD, NEW = SIGSTORE.trusted_root(), STRANGER.trusted_root()
PATIENCE = Patience(sleep=lambda seconds: None, attempts=2)


class Mirror(msgspec.Struct):
    """A repository, its address and the folder of one who asks it."""

    tuf: FakeTuf
    address: str
    folder: Path

    def ask(self, folder: Path | None = None, *, seen: Versions | None = None, insecure: bool = True) -> Refreshed:
        host = self.address.removeprefix("http://")
        with Transport(trusted=Trusted(frozenset({host} if insecure else ())), patience=PATIENCE) as transport:
            return trust_refresh.refresh(
                folder or self.folder, self.address, transport, first=self.tuf.first_root, seen=seen
            )

    def refused(self, why: str) -> None:
        with pytest.raises(RefreshRefused, match=why):
            self.ask()


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    tuf = FakeTuf(OLD)
    with tuf.served() as address:
        yield Mirror(tuf, address, tmp_path / "tuf")


def test_the_first_tuf_root_is_the_one_that_the_pinned_package_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    assert trust_refresh.first_root_version() == 15
    monkeypatch.setattr(trust_refresh, "FIRST_ROOT_SHA256", "0" * 64)
    with pytest.raises(TrustRootError, match="another TUF root"):
        trust_refresh.first_root()


def test_a_refresh_brings_the_root_its_versions_and_its_earliest_end(mirror: Mirror) -> None:
    end = mirror.tuf.now + dt.timedelta(days=1)
    mirror.tuf.publish(NEW, expires={"snapshot": end})
    assert mirror.ask() == Refreshed(NEW, Versions(root=1, timestamp=2, snapshot=2, targets=2), end)


def test_what_did_not_change_is_not_fetched_again(mirror: Mirror) -> None:
    first = mirror.ask()
    mirror.tuf.asked.clear()
    assert mirror.ask() == first
    assert mirror.tuf.asked == ["2.root.json", "timestamp.json"]


def test_keys_that_were_rotated_are_followed(mirror: Mirror) -> None:
    mirror.ask()
    mirror.tuf.rotate_root()
    mirror.tuf.rotate_root()
    for role in ("timestamp", "snapshot", "targets"):
        mirror.tuf.rotate(role)
    mirror.tuf.publish(NEW)
    assert mirror.ask().versions == Versions(root=6, timestamp=2, snapshot=2, targets=2)
    assert mirror.ask().raw == NEW


def test_a_newcomer_follows_every_rotation_since_its_first_root(mirror: Mirror) -> None:
    mirror.tuf.rotate_root()
    mirror.tuf.rotate("timestamp")
    mirror.tuf.publish(NEW)
    assert (mirror.ask().raw, mirror.ask().versions.root) == (NEW, 3)


def test_a_root_that_its_predecessor_did_not_sign_is_refused(mirror: Mirror) -> None:
    stranger = FakeTuf(NEW, seed="stranger")
    mirror.tuf.files |= {"2.root.json": stranger.publish_root(), "timestamp.json": stranger.files["timestamp.json"]}
    mirror.refused("not signed by enough")


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_metadata_signed_by_another_key_is_refused(mirror: Mirror, role: str) -> None:
    mirror.tuf.publish(NEW, by={role: mirror.tuf.signer("stranger")})
    mirror.refused("not signed by enough")


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_metadata_that_has_expired_is_refused(mirror: Mirror, role: str) -> None:
    """A mirror that goes on showing an old state freezes us: this is where it shows."""
    mirror.tuf.publish(NEW, expires={role: mirror.tuf.now - dt.timedelta(seconds=1)})
    mirror.refused("has expired")


def test_an_expired_root_is_refused(mirror: Mirror) -> None:
    mirror.tuf.root.expires = mirror.tuf.now - dt.timedelta(seconds=1)
    mirror.tuf.publish_root()
    mirror.refused("has expired")


def test_a_first_root_that_has_expired_leads_to_a_newer_one(mirror: Mirror) -> None:
    """As the one in the pinned package will: what counts is the last root."""
    tuf = FakeTuf(OLD, seed="aged")
    end, tuf.root.expires = tuf.root.expires, tuf.now - dt.timedelta(days=1)
    tuf.first_root = tuf.publish_root()
    tuf.root.expires = end
    tuf.publish_root()
    with tuf.served() as address:
        assert Mirror(tuf, address, mirror.folder).ask().versions.root == 3


def test_an_older_state_is_refused(mirror: Mirror) -> None:
    before = dict(mirror.tuf.files)
    mirror.tuf.publish(NEW)
    mirror.ask()
    mirror.tuf.files = before
    mirror.refused("older than what was seen before")


def test_an_older_snapshot_under_a_newer_timestamp_is_refused(mirror: Mirror) -> None:
    mirror.tuf.publish(NEW)
    mirror.ask()
    newer = FakeTuf(OLD)  # the same keys
    newer.version = 8
    newer.publish(OLD)
    mirror.tuf.files["timestamp.json"] = newer.files["timestamp.json"]
    mirror.tuf.files["9.snapshot.json"] = mirror.tuf.files["1.snapshot.json"]
    mirror.refused("other bytes than its signed metadata names")


def test_targets_of_another_state_are_refused(mirror: Mirror) -> None:
    """Mix and match: each file is rightly signed, together they never were."""
    mirror.tuf.publish(NEW)
    mirror.tuf.files["2.targets.json"] = mirror.tuf.files["1.targets.json"]
    mirror.refused("of another version than it should be")


def test_a_folder_that_was_lost_does_not_bring_back_an_older_state(mirror: Mirror, tmp_path: Path) -> None:
    before = dict(mirror.tuf.files)
    mirror.tuf.publish(NEW)
    seen = mirror.ask().versions
    mirror.tuf.files = before
    assert mirror.ask(tmp_path / "unaware").raw == OLD
    with pytest.raises(RefreshRefused, match="rollback"):
        mirror.ask(tmp_path / "new", seen=seen)


def test_after_a_new_root_others_may_count_from_one(mirror: Mirror, tmp_path: Path) -> None:
    for _ in range(3):
        mirror.tuf.publish(OLD)
    seen = mirror.ask().versions
    for role in ("timestamp", "snapshot", "targets"):
        mirror.tuf.rotate(role)
    mirror.tuf.publish(NEW, version=1)
    assert mirror.ask(tmp_path / "new", seen=seen).raw == NEW


def test_a_target_of_other_bytes_is_refused(mirror: Mirror) -> None:
    path = next(path for path in mirror.tuf.files if path.endswith(TARGET))
    mirror.tuf.files[path] = NEW[: len(OLD)].ljust(len(OLD))
    mirror.refused("other bytes than its signed metadata names")


@pytest.mark.parametrize("path", ["timestamp.json", "1.snapshot.json", "1.targets.json", TARGET])
def test_a_file_cut_short_is_refused(mirror: Mirror, path: str) -> None:
    whole = next(name for name in mirror.tuf.files if name.endswith(path))
    mirror.tuf.files[whole] = mirror.tuf.files[whole][:-20]
    with pytest.raises(RefreshRefused):
        mirror.ask()


def test_a_file_longer_than_it_may_be_is_refused(mirror: Mirror) -> None:
    mirror.tuf.files["timestamp.json"] += b" " * 20_000
    mirror.refused("more bytes than its metadata allows")


def test_a_repository_without_a_trust_root_is_refused(mirror: Mirror) -> None:
    mirror.tuf.publish(None)
    mirror.refused("names no trusted_root.json")


def test_a_rightly_signed_root_that_nothing_could_be_verified_with_is_refused(mirror: Mirror) -> None:
    mirror.tuf.publish(b'{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}')
    mirror.refused("names no authority and no log")


@pytest.mark.parametrize("status", [404, 500, 503])
def test_a_mirror_without_metadata_could_not_be_asked(mirror: Mirror, status: int) -> None:
    mirror.tuf.status["timestamp.json"] = status
    with pytest.raises(MirrorUnreachable, match=str(status)):
        mirror.ask()


def test_a_server_that_is_away_could_not_be_asked_and_nothing_is_lost(mirror: Mirror, tmp_path: Path) -> None:
    found = mirror.ask()
    away = Mirror(mirror.tuf, "http://127.0.0.1:9", mirror.folder)
    with pytest.raises(MirrorUnreachable, match="No connection to 127"):
        away.ask()
    assert mirror.ask() == found


def test_a_mirror_is_held_to_the_rules_for_registries(mirror: Mirror) -> None:
    with pytest.raises(MirrorUnreachable, match="without TLS"):
        mirror.ask(insecure=False)


def test_a_refused_answer_leaves_the_folder_as_good_as_before(mirror: Mirror) -> None:
    before = mirror.ask()
    good = dict(mirror.tuf.files)
    mirror.tuf.publish(NEW, by={"targets": mirror.tuf.signer("stranger")})
    mirror.refused("not signed by enough")
    mirror.tuf.files = good
    mirror.refused("older than what was seen before")  # its timestamp was good, and is remembered
    mirror.tuf.publish(NEW)
    assert (before.raw, mirror.ask().raw) == (OLD, NEW)


def test_metadata_altered_in_the_folder_is_not_believed(mirror: Mirror) -> None:
    mirror.ask()
    for path in (mirror.folder / "metadata").glob("*.json"):
        if not path.is_symlink():
            path.write_bytes(b"{}")
    (mirror.folder / "targets" / TARGET).write_bytes(NEW)
    assert mirror.ask().raw == OLD


def test_a_folder_that_cannot_be_used_is_named(mirror: Mirror) -> None:
    mirror.folder.write_text("a file")
    mirror.refused("cannot be used")


def test_the_shipped_tuf_root_is_one_to_begin_with(mirror: Mirror) -> None:
    """Also after its own end: an empty mirror is then asked in vain, not refused."""
    mirror.tuf.files.clear()
    mirror.tuf.first_root = trust_refresh.first_root()
    with pytest.raises(MirrorUnreachable, match="404"):
        mirror.ask()
    assert mirror.tuf.asked == [f"{trust_refresh.first_root_version() + 1}.root.json", "timestamp.json"]


def test_a_mirror_of_somebody_else_is_refused(mirror: Mirror) -> None:
    """Rightly signed, by those whom nobody named."""
    stranger = FakeTuf(NEW, seed="stranger")
    with stranger.served() as address, pytest.raises(RefreshRefused, match="not signed by enough"):
        Mirror(mirror.tuf, address, mirror.folder).ask()


SIGNED = '{"signatures": [], "signed": {"_type": "%s", "spec_version": "1.0.31", "version": %s, "expires": "%s"%s}}'
HOSTILE = {
    "nothing": b"",
    "not text": b"\xff\xfe",
    "a web page": b"<!doctype html><title>Log in</title>",
    "null": b"null",
    "a list": b"[]",
    "deep": b"[" * 9000,
    "nothing signed": b'{"signatures": [], "signed": null}',
    "signatures of another kind": b'{"signatures": 7, "signed": {}}',
    "no version": (SIGNED % ("timestamp", "null", "2099-01-01T00:00:00Z", "")).encode(),
    "version of another kind": (SIGNED % ("timestamp", '"x"', "2099-01-01T00:00:00Z", "")).encode(),
    "endless version": (SIGNED % ("timestamp", "9" * 5000, "2099-01-01T00:00:00Z", "")).encode(),
    "no number": (SIGNED % ("timestamp", "NaN", "2099-01-01T00:00:00Z", "")).encode(),
    "no date": (SIGNED % ("timestamp", "1", "tomorrow", "")).encode(),
    "meta of another kind": (SIGNED % ("timestamp", "1", "2099-01-01T00:00:00Z", ', "meta": [1]')).encode(),
    "keys of another kind": (SIGNED % ("root", "2", "2099-01-01T00:00:00Z", ', "keys": 1, "roles": {}')).encode(),
    "roles of another kind": (SIGNED % ("root", "2", "2099-01-01T00:00:00Z", ', "keys": {}, "roles": 1')).encode(),
    "targets of another kind": (SIGNED % ("targets", "1", "2099-01-01T00:00:00Z", ', "targets": {"a": 1}')).encode(),
}


@pytest.mark.parametrize("path", ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"])
@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_metadata_is_refused_in_a_sentence(mirror: Mirror, path: str, what: str) -> None:
    """It is parsed before its signature is looked at."""
    mirror.tuf.files[path] = HOSTILE[what]
    with pytest.raises(RefreshRefused) as refused:
        mirror.ask()
    assert str(refused.value).startswith("The mirror")
