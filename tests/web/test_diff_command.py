"""manage.py diff: what changed between two images."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from cgexplorer.oci.evidence import Kind
from cgexplorer.store.queries.compare import compare
from cgexplorer.store.queries.references import UnknownReference
from tests.store import factories as make

pytestmark = pytest.mark.django_db
NAME = "cgr.dev/chainguard/go"
CONFIG = b'{"config": {"Env": ["PATH=/bin", "HOME=%s"], "User": "65532"}}'


def side(tag: str, *packages, name: str = NAME, home: bytes = b"/root", identity: str = make.IDENTITY, **sbom):
    manifest = make.manifest(make.image(name), tag, config=make.payload(CONFIG % home))
    make.tag(manifest, tag)
    make.sbom(manifest, *packages, **sbom)
    make.evidence(manifest, kind=Kind.SIGNATURE, identity=identity)
    return manifest


@pytest.fixture
def two() -> None:
    zlib, curl, old = make.component("zlib"), make.component("curl"), make.component("libold")
    side("1.25", make.package("3.3.1-r0"), make.package("1.3.2-r4", zlib), make.package("1-r0", old))
    side(
        "1.26",
        make.package("3.3.2-r0"),
        make.package("1.3.2-r3", zlib),
        make.package("8-r0", curl, license="curl"),
        home=b"/home",
    )


def test_json_has_the_shape_that_scripts_rely_on(two, capsys) -> None:
    call_command("diff", f"{NAME}:1.25", f"{NAME}:1.26", "--format", "json")
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == "cgexplorer.diff/1"
    assert answer["from"]["reference"] == f"{NAME}:1.25"
    assert answer["from"]["platform"] == "linux/amd64"
    packages = answer["packages"]
    assert [(one["name"], one["from"], one["to"]) for one in packages["upgraded"]] == [
        ("openssl", ["3.3.1-r0"], ["3.3.2-r0"])
    ]
    assert [one["name"] for one in packages["downgraded"]] == ["zlib"]
    assert [one["name"] for one in packages["added"]] == ["curl"]
    assert [one["name"] for one in packages["removed"]] == ["libold"]
    assert answer["licenses"]["added"] == ["curl"]
    assert answer["config"] == [{"path": "image.Env.HOME", "from": "/root", "to": "/home"}]
    assert answer["signer"] == {"from": make.IDENTITY, "to": make.IDENTITY}


def test_text_begins_with_one_sentence(two, capsys) -> None:
    call_command("diff", f"{NAME}:1.25", f"{NAME}:1.26")
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0] == "go 1.25 → 1.26: 1 package added, 1 removed, 1 upgraded, 1 downgraded; 1 new licence; same signer"
    )
    assert "  upgraded apk openssl 3.3.1-r0 → 3.3.2-r0" in lines


def test_markdown_is_a_table_in_which_a_name_is_only_text(capsys) -> None:
    side("1")
    side("2", make.package("1", make.component("a`|<img src=x>[x](javascript:y)")))
    call_command("diff", f"{NAME}:1", f"{NAME}:2", "--format", "markdown")
    printed = capsys.readouterr().out
    assert "| added | ``apk a`\\|<img src=x>[x](javascript:y)`` |  | `1` |" in printed


def test_exit_code_2_when_they_differ(two) -> None:
    with pytest.raises(SystemExit) as error:
        call_command("diff", f"{NAME}:1.25", f"{NAME}:1.26", "--exit-code")
    assert error.value.code == 2


def test_no_exit_code_when_they_are_the_same(two) -> None:
    call_command("diff", f"{NAME}:1.25", f"{NAME}:1.25", "--exit-code")


def test_another_signer_is_a_difference() -> None:
    side("1")
    side("2", identity="https://github.com/other/repo/.github/workflows/x.yaml@refs/heads/main")
    assert compare(f"{NAME}:1", f"{NAME}:2").difference.differs


def test_an_unverified_sbom_is_compared_with_a_warning() -> None:
    side("1", make.package("1"))
    side("2", make.package("2"), state="signer-not-allowed")
    difference = compare(f"{NAME}:1", f"{NAME}:2").difference
    assert len(difference.packages.upgraded) == 1
    assert any("signer not allowed" in warning for warning in difference.warnings)


def test_a_verified_sbom_is_chosen_before_a_newer_unverified_one() -> None:
    manifest = side("1", make.package("1"))
    make.sbom(manifest, make.package("9"), state="signer-not-allowed", document=make.payload(b"other"))
    side("2", make.package("2"))
    (change,) = compare(f"{NAME}:1", f"{NAME}:2").difference.packages.upgraded
    assert change.before == ("1",)


def test_of_two_indexes_the_same_platform_is_compared() -> None:
    image = make.image(NAME)
    for tag in ("1", "2"):
        children = [make.manifest(image, tag, platform=platform) for platform in ("linux/arm64", "linux/amd64")]
        make.tag(make.index(image, *children, seed=tag), tag)
    found = compare(f"{NAME}:1", f"{NAME}:2")
    assert {found.before.manifest.platform, found.after.manifest.platform} == {"linux/amd64"}
    assert compare(f"{NAME}:1", f"{NAME}:2", "linux/arm64").before.manifest.platform == "linux/arm64"


@pytest.mark.parametrize(
    ("reference", "platform", "says"),
    [
        ("cgr.dev/chainguard/nothing:1", "", "not stored here. Add it with"),
        (f"{NAME}:9", "", "no stored tag 9; there is 1"),
        (f"{NAME}@sha256:{'0' * 64}", "", "no stored digest"),
        (f"sha256:{'0' * 64}", "", "No stored image"),
        ("bad reference!", "", "cannot be part"),
        (f"{NAME}:1", "plan9/mips", "has no plan9/mips; it has linux/amd64"),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(reference: str, platform: str, says: str) -> None:
    side("1")
    with pytest.raises(UnknownReference, match=says):
        compare(f"{NAME}:1", reference, platform)


def test_an_unknown_reference_is_an_error_of_the_command() -> None:
    with pytest.raises(CommandError, match="not stored here") as error:
        call_command("diff", NAME, NAME)
    assert error.value.returncode == 1


def test_a_digest_alone_is_a_reference() -> None:
    manifest = side("1")
    assert compare(manifest.digest, f"{NAME}:1").before.manifest == manifest


def test_two_images_of_which_one_has_no_sbom_do_not_pass_for_the_same(capsys) -> None:
    for tag in ("1", "2"):
        make.tag(make.manifest(make.image(NAME), tag), tag)
    with pytest.raises(SystemExit) as stopped:
        call_command("diff", f"{NAME}:1", f"{NAME}:2", "--exit-code")
    assert stopped.value.code == 3
