"""Commands as scripts use them: what they print, how they exit, what is stored afterwards."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import zstandard
from django.core.management import CommandError, call_command

from cgexplorer.store.models import Image, Manifest, PolicyRow, Sbom, SbomPackages, Tag
from tests.fakes.registry import FakeRegistry, Fault
from tests.ingesting import spdx, tables

pytestmark = pytest.mark.django_db
SAMPLES = Path(__file__).resolve().parent.parent / "samples"
GENERATOR = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@.*"
GITHUB = "https://token.actions.githubusercontent.com"


def run(*command: Any, **options: Any) -> tuple[int, str, str]:
    """Exit code, stdout, stderr: as a shell would see them."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(*map(str, command), stdout=out, stderr=err, **options)
    except CommandError as error:
        return error.returncode, out.getvalue(), err.getvalue() + str(error)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


@pytest.fixture
def samples() -> None:
    call_command("load_samples", verbosity=0)


@pytest.fixture
def registry(settings: Any) -> Any:
    with FakeRegistry() as running:
        running.load_layout(SAMPLES / "nginx", "team/nginx")
        settings.INSECURE_REGISTRIES = frozenset({running.host})
        yield running


# -- import_layout ----------------------------------------------------------------------------------------------------
def test_the_real_postgres_layout_is_imported_under_the_name_that_was_given(shared: Path) -> None:
    layout = shared / "chainguard-postgres" / "oci-layout"
    code, said, _ = run("import_layout", layout, "--as", "cgr.dev/chainguard/postgres:18.4")
    assert code == 0
    assert said.count("verified as https://github.com/chainguard-images/images/") == 2
    assert "linux/amd64" in said
    assert "could not check: not in this layout" in said
    assert Tag.objects.get(name="18.4").manifest.is_index
    assert SbomPackages.objects.get().searchable
    assert "note:" not in said


def test_a_layout_that_is_imported_under_another_name_than_was_signed_says_so(shared: Path) -> None:
    layout = shared / "chainguard-postgres" / "oci-layout"
    code, said, _ = run("import_layout", layout, "--as", "mirror.example/postgres:18.4")
    assert code == 0
    assert "note: it was signed as cgr.dev/chainguard/postgres, and is imported as mirror.example/postgres" in said


def test_real_slsa_layouts_verify_under_a_policy_for_their_generator(shared: Path) -> None:
    name = "ghcr.io/slsa-framework/example"
    assert (
        run("add_policy", "--name", "slsa", "--match", f"{name}*", "--issuer", GITHUB, "--identity-regexp", GENERATOR)[
            0
        ]
        == 0
    )
    for version in ("v1.4.0", "v1.9.0", "v2.0.0"):
        layout = shared / "slsa-container-layouts" / version / "container_workflow_dispatch"
        code, said, _ = run("import_layout", layout, "--as", f"{name}:{version}")
        assert code == 0
        assert "SLSA provenance v0.2: verified" in said, said


def test_images_signed_by_a_private_sigstore_verify_under_its_root(shared: Path) -> None:
    made = shared / "cosign-made"
    code, _, _ = run(
        "add_policy", "--name", "erin", "--match", "registry.example/made/*", "--identity", "erin@example.test",
        "--issuer", "https://accounts.example.test", "--trusted-root", made / "trusted_root.json",
    )  # fmt: skip
    assert code == 0
    assert run("import_layout", made, "--as", "registry.example/made")[0] == 0
    states = dict(Manifest.objects.values_list("image__repository", "state").filter(is_index=False))
    assert states["made/d/email"] == "verified"
    assert states["made/d/b-email"] == "verified"
    assert states["made/d/ci"] == "signer-not-allowed"
    assert states["made/d/unsigned"] == "unsigned"
    assert states["made/d/m-set-flip"] == "invalid"


def test_a_layout_whose_names_name_no_registry_needs_a_name(shared: Path) -> None:
    code, _, why = run("import_layout", shared / "cosign-made")
    assert code == 1
    assert "--as" in why


def test_a_tag_that_the_layout_does_not_have_is_said() -> None:
    code, _, why = run("import_layout", SAMPLES / "nginx", "--as", "samples.example/nginx:7")
    assert code == 1
    assert "has no tag 7" in why
    assert "1.31.4" in why


@pytest.mark.parametrize("folder", ["/nonexistent", "/"])
def test_a_folder_that_is_no_layout_is_refused(folder: str) -> None:
    code, _, why = run("import_layout", folder, "--as", "a.example/b")
    assert code == 1
    assert "not an OCI image layout" in why


def test_an_altered_image_is_named_and_the_others_of_its_layout_are_imported(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(SAMPLES / "nginx", tmp_path / "layout"))
    digests = {
        manifest["annotations"]["org.opencontainers.image.ref.name"]: manifest["digest"]
        for manifest in json.loads((copy / "index.json").read_text())["manifests"]
    }
    (copy / "blobs/sha256" / digests["1.29.8"][7:]).write_bytes(b"{}")
    code, _, why = run("import_layout", copy, "--as", "samples.example/nginx")
    assert code == 1
    assert "samples.example/nginx:1.29.8 was not imported" in why
    assert digests["1.29.8"] in why
    tags = set(Tag.objects.values_list("name", flat=True))
    assert "1.29.8" not in tags
    assert tags == {tag for tag in digests if not tag.startswith("sha256-")} - {"1.29.8"}


def test_an_altered_platform_is_named_and_the_rest_is_stored(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(SAMPLES / "nginx", tmp_path / "layout"))
    index = json.loads((copy / "index.json").read_text())
    digest = next(
        m["digest"] for m in index["manifests"] if m["annotations"]["org.opencontainers.image.ref.name"] == "1.31.4"
    )
    child = json.loads((copy / "blobs/sha256" / digest[7:]).read_text())["manifests"][0]["digest"]
    (copy / "blobs/sha256" / child[7:]).write_bytes(b"{}")
    code, said, _ = run("import_layout", copy, "--as", "samples.example/nginx:1.31.4")
    assert code == 0
    assert "could not check" in said
    assert Manifest.objects.get(digest=child).payload is None


def test_evidence_that_could_not_be_read_is_named_and_search_does_not_call_it_absent(tmp_path: Path) -> None:
    call_command("load_samples", verbosity=0)
    copy = Path(shutil.copytree(SAMPLES / "nginx", tmp_path / "layout"))
    index = json.loads((copy / "index.json").read_text())
    for manifest in index["manifests"]:
        if manifest["annotations"]["org.opencontainers.image.ref.name"].endswith(".att"):
            (copy / "blobs/sha256" / manifest["digest"][7:]).write_bytes(b"{}")
    said = run("import_layout", copy, "--as", "samples.example/altered:1.31.4")[1]
    assert said.count(".att: ") == 2, said
    found = json.loads(run("search", "libssl3", "--format", "json")[1])
    reasons = [one["reason"] for one in found["universe"]["not_searched"] if "altered" in one["image"]]
    assert len(reasons) == 2
    assert all("could not be read" in reason for reason in reasons)


# -- import_sbom ------------------------------------------------------------------------------------------------------
def test_a_packed_sbom_is_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "My Host.spdx.json.zst"
    file.write_bytes(zstandard.compress(json.dumps(spdx("zlib@1.3-r0")).encode()))
    code, said, _ = run("import_sbom", file)
    assert code == 0
    assert "1 packages" in said
    assert Image.objects.get().name == "local/my-host"


def test_a_file_that_is_no_sbom_is_kept_and_says_why(tmp_path: Path) -> None:
    file = tmp_path / "notes.json"
    file.write_text("{]")
    code, _, why = run("import_sbom", file)
    assert code == 1
    assert "not indexed: The document is not JSON" in why
    assert Sbom.objects.get().indexed is False


def test_one_missing_file_does_not_keep_the_others_out(tmp_path: Path) -> None:
    file = tmp_path / "good.spdx.json"
    file.write_text(json.dumps(spdx("zlib@1.3-r0")))
    code, _, why = run("import_sbom", tmp_path / "missing.json", file)
    assert code == 1
    assert "No such file" in why
    assert "Errno" not in why
    assert Sbom.objects.count() == 1


def test_a_pipe_or_a_device_is_no_sbom_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    for file in (tmp_path / "pipe.json", Path("/dev/zero")):
        code, _, why = run("import_sbom", file)
        assert code == 1
        assert "no plain file" in why


def test_the_name_of_an_imported_file_can_be_used_again(tmp_path: Path) -> None:
    for name, version in (("one", "1.3-r0"), ("two", "1.4-r0")):
        (tmp_path / f"{name}.spdx.json").write_text(json.dumps(spdx(f"zlib@{version}")))
        run("import_sbom", tmp_path / f"{name}.spdx.json")
    code, said, _ = run("diff", "local/one:latest", "local/two", "--exit-code")
    assert code == 2
    assert "zlib 1.3-r0 → 1.4-r0" in said


# -- add_image --------------------------------------------------------------------------------------------------------
def test_an_image_is_added_from_a_registry(registry: FakeRegistry) -> None:
    code, said, why = run("add_image", f"{registry.host}/team/nginx:1.31.4")
    assert (code, why) == (0, "")
    # Nobody said to trust the sample root for this name, and no other root knows its log.
    assert "invalid: The log-entry check failed" in said
    assert Tag.objects.get().name == "1.31.4"


@pytest.mark.parametrize(
    ("fault", "code"),
    [(Fault.NO_REPOSITORY, 1), (Fault.UNAUTHORIZED_FOREVER, 1), (Fault.FORBIDDEN, 1), (Fault.HTML, 1)],
)
def test_a_registry_that_says_no_is_quoted_and_nothing_is_stored(
    registry: FakeRegistry, fault: Fault, code: int
) -> None:
    registry.fault = fault
    answer, _, why = run("add_image", f"{registry.host}/team/nginx:1.31.4")
    assert answer == code
    assert why.endswith(".")
    assert not Manifest.objects.exists()


def test_a_registry_that_is_not_there_could_not_be_asked() -> None:
    code, _, why = run("add_image", "registry.invalid/team/app:1")
    assert code == 3
    assert "registry.invalid" in why


def test_a_private_address_is_not_asked_unless_it_is_listed() -> None:
    code, _, why = run("add_image", "127.0.0.1:9/team/app:1")
    assert code == 1
    assert "not public" in why
    assert "add_registry --access private" in why


def test_a_malformed_reference_is_refused_before_anything_is_fetched() -> None:
    code, _, why = run("add_image", "cgr.dev/UPPER/case")
    assert code == 1
    assert "UPPER" in why


# -- add_policy -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "flags",
    [
        ("--identity", "i"),
        ("--issuer", "i"),
        ("--issuer", "i", "--identity-regexp", ".*"),
        ("--issuer", "i", "--identity-regexp", "("),
        ("--key", "/nonexistent"),
        ("--trusted-root", "/nonexistent", "--issuer", "i", "--identity", "i"),
        ("--issuer", "i", "--identity", "i", "--max-age-days", "-1"),
        ("--issuer", "i", "--identity", "i", "--max-age-days", "99999999"),
        ("--issuer", "i", "--identity", "not UTF-8: \udcff"),
    ],
)
def test_a_policy_that_could_not_be_meant_is_refused(flags: tuple[str, ...]) -> None:
    before = PolicyRow.objects.count()
    code, _, why = run("add_policy", "--name", "x", "--match", "a.example/*", *flags)
    assert code == 1
    assert why.endswith(".")
    assert "Errno" not in why
    assert PolicyRow.objects.count() == before


def test_changing_a_policy_appends_a_version() -> None:
    for identity in ("one@example.test", "two@example.test", "two@example.test"):
        run("add_policy", "--name", "x", "--match", "a.example/*", "--issuer", GITHUB, "--identity", identity)
    assert list(PolicyRow.objects.filter(name="x").order_by("version").values_list("version", "current")) == [
        (1, False),
        (2, True),
    ]


@pytest.mark.usefixtures("samples")
def test_another_signer_in_a_policy_takes_its_images_out_of_search() -> None:
    assert SbomPackages.objects.filter(searchable=True).exists()
    said = run(
        "add_policy", "--name", "samples", "--match", "samples.example/*", "--issuer", GITHUB,
        "--identity", "nobody@example.test", "--trusted-root", SAMPLES / "trusted_root.json",
    )[1]  # fmt: skip
    assert "2 stored images match" in said
    assert run("verify", "--all")[0] == 2
    assert not SbomPackages.objects.filter(searchable=True).exists()


# -- verify -----------------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("samples")
@pytest.mark.parametrize(
    ("reference", "flags", "code"),
    [
        ("samples.example/nginx:latest", (), 0),
        ("samples.example/python:3.14-fork", (), 2),
        ("samples.example/python:3.14-fork", ("--fail-on", "invalid"), 0),
        ("samples.example/python:3.14-local", (), 2),
        ("samples.example/python:3.14-local", ("--fail-on", "invalid,signer-not-allowed"), 0),
        ("samples.example/nothing:1", (), 3),
        ("samples.example/nginx:latest", ("--fail-on", "verified"), 2),
        ("samples.example/nginx:latest", ("--fail-on", "green"), 1),
    ],
)
def test_verify_exits_as_scripts_expect(reference: str, flags: tuple[str, ...], code: int) -> None:
    assert run("verify", reference, *flags)[0] == code


def test_a_missing_platform_could_not_be_checked(shared: Path) -> None:
    run("import_layout", shared / "chainguard-postgres" / "oci-layout", "--as", "cgr.dev/chainguard/postgres:18.4")
    assert run("verify", "cgr.dev/chainguard/postgres:18.4")[0] == 3


@pytest.mark.usefixtures("samples")
def test_the_report_has_the_shape_that_scripts_rely_on() -> None:
    code, said, _ = run("verify", "samples.example/nginx:latest", "--format", "json")
    report = json.loads(said)
    assert code == 0
    assert report["schema"] == "cgexplorer.verification/1"
    assert {"reference", "digest", "state", "subjects"} <= report.keys()
    assert [subject["platform"] for subject in report["subjects"]] == [None, "linux/amd64", "linux/arm64"]
    for one in report["subjects"][1]["evidence"]:
        assert {
            "kind", "form", "manifest", "layer", "predicate_type", "state", "identity", "issuer", "signed_at",
            "log_index", "policy", "trusted_root_sha256", "checks",
        } <= one.keys()  # fmt: skip
        assert one["policy"] == {"name": "samples", "version": 1}
        assert {check["outcome"] for check in one["checks"]} <= {"passed", "not-run"}


# -- load_samples -----------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("samples")
def test_loading_the_samples_again_changes_nothing_but_when_they_were_seen() -> None:
    before = tables()
    call_command("load_samples", verbosity=0)
    assert tables() == before
