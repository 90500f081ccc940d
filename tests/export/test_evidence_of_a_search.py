"""The evidence of an answer: what is in it, that stock cosign takes all of it, and what it says of a "no"."""

from __future__ import annotations

import csv
import io
import json
import threading
import zipfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from cgexplorer.store.models import Image, Manifest
from cgexplorer.store.queries import payloads
from cgexplorer.store.queries.rows import one_snapshot
from tests.export.bundles import cosign, verify_sh
from tests.fakes.source import MemorySource
from tests.ingesting import NAME, allow, attest, fetch, package, sign, signed_image, sigstore, spdx
from tests.store import factories as make

pytestmark = pytest.mark.django_db
OTHER = "registry.example/other"


@pytest.fixture
def fleet() -> None:
    """Two images with openssl, one that is verified without it, one without any SBOM."""
    allow()
    fetch(signed_image("openssl@3.3.1-r0", "zlib@1.3-r0"))
    fetch(signed_image("openssl@3.3.5-r0"), f"{OTHER}:latest")
    fetch(signed_image("busybox@1.37.0-r0"), "registry.example/third:latest")
    bare = MemorySource()
    sign(bare, bare.push_image("latest"))
    fetch(bare, "registry.example/bare:latest")


def asked(**query: str) -> dict[str, bytes]:
    answer = Client().get(reverse("package-search-evidence"), query)
    assert answer.status_code == 200, answer.content
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as found:
        return {name: found.read(name) for name in found.namelist()}


def written(found: dict[str, bytes], folder: Path) -> Path:
    for name, content in found.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder


def table(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_every_hit_is_proven_in_a_folder_of_its_own(fleet: None) -> None:
    found = asked(q="openssl<3.3.2")
    answer = json.loads(found["answer.json"])
    (row,) = answer["results"]
    assert (answer["schema"], answer["total"]) == ("cgexplorer.search/1", {"images": 1, "digests": 1})
    place = row["evidence"]
    assert place["folder"] == f"digests/001-{row['digest'][7:19]}"
    assert place["ids"] == ["SPDXRef-Package-0"]
    manifest = Manifest.objects.get(image__name=NAME)
    assert found[place["document"]] == payloads.content(manifest.sboms.get().document)
    assert json.loads(found[f"{place['folder']}/report.json"])["state"] == "verified"


def test_the_answer_is_the_same_as_without_its_evidence(fleet: None, client: Client) -> None:
    answer = json.loads(asked(q="openssl")["answer.json"])
    for row in answer["results"]:
        del row["evidence"]
    assert answer == client.get(reverse("package-search-json"), {"q": "openssl"}).json()


def test_the_universe_lists_every_digest_with_its_state_and_sbom(fleet: None) -> None:
    rows = {row["image"]: row for row in table(asked(q="openssl")["universe.csv"])}
    assert len(rows) == 4
    assert (rows["registry.example/bare"]["searched"], rows["registry.example/bare"]["sbom_sha256"]) == ("no", "")
    assert "no SBOM is attached" in rows["registry.example/bare"]["reason"]
    third = rows["registry.example/third"]
    sbom = Manifest.objects.get(image__name="registry.example/third").sboms.get()
    assert (third["searched"], third["state"]) == ("yes", "verified")
    assert third["sbom_sha256"] == bytes(sbom.document_id).hex()
    assert third["folder"] == ""
    assert rows[NAME]["folder"].startswith("digests/00")


def test_what_digests_share_is_in_it_once(fleet: None) -> None:
    roots = [name for name, content in asked(q="openssl").items() if content == sigstore().trusted_root()]
    assert len(roots) == 1
    assert roots[0].startswith("trusted-roots/")


def test_stock_cosign_verifies_every_hit(fleet: None, tmp_path: Path) -> None:
    answer = verify_sh(written(asked(q="openssl"), tmp_path / "evidence"), cosign())
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("Holds: digests/") == 2
    assert "For 1 of 4 digests the answer is unknown, not no" in answer.stderr


def test_an_altered_file_is_noticed_wherever_it_lies(fleet: None, tmp_path: Path) -> None:
    folder = written(asked(q="openssl<3.3.2"), tmp_path / "evidence")
    assert verify_sh(folder, "true").returncode == 0
    for name in ("answer.json", "ids/*", "trusted-roots/*", "digests/*/SHA256SUMS", "digests/*/evidence/*/*.spdx.json"):
        (path,) = folder.glob(name)
        original = path.read_bytes()
        path.write_bytes(original + b"\n")
        assert verify_sh(folder, "true").returncode == 1, path
        path.write_bytes(original)


def test_a_file_that_was_put_beside_them_is_told(fleet: None, tmp_path: Path) -> None:
    folder = written(asked(q="openssl<3.3.2"), tmp_path / "evidence")
    (folder / "more.txt").write_text("")
    (folder / "digests/002-more").mkdir()
    told = verify_sh(folder, "true").stderr
    assert "checked by nobody: more.txt" in told
    assert "checked by nobody: digests/002-more" in told


def test_a_hit_that_its_sbom_does_not_name_fails(fleet: None, tmp_path: Path) -> None:
    found = asked(q="openssl<3.3.2")
    (name,) = (name for name in found if name.startswith("ids/"))
    folder = written(found | {name: b'"SPDXRef-Package-9"\n'}, tmp_path / "evidence")
    assert "has not all ids of ids/001.txt" in verify_sh(folder, "true").stderr


def test_an_id_made_to_hide_others_is_not_looked_for(tmp_path: Path) -> None:
    allow()
    source = MemorySource()
    digest = source.push_image("latest")
    sign(source, digest)
    attest(source, digest, spdx(packages=[package("openssl@1", SPDXID=","), package("openssl@2", SPDXID="SPDXRef-b")]))
    fetch(source)
    found = asked(q="openssl")
    assert {row["version"]: row["ids"] for row in table(found["hits.csv"])} == {"1": ",", "2": "SPDXRef-b"}
    assert found["ids/001.txt"] == b'"SPDXRef-b"\n'
    assert verify_sh(written(found, tmp_path / "evidence"), "true").returncode == 0


def test_a_no_comes_with_the_sboms_that_say_so(fleet: None, tmp_path: Path) -> None:
    found = asked(q="log4j-core")
    assert json.loads(found["answer.json"])["results"] == []
    assert len({name.split("/")[1] for name in found if name.startswith("digests/")}) == 3
    assert all(row["folder"] for row in table(found["universe.csv"]) if row["searched"] == "yes")
    answer = verify_sh(written(found, tmp_path / "evidence"), cosign())
    assert (answer.returncode, answer.stdout.count("Holds: ")) == (0, 3), answer.stderr


def test_a_no_of_more_digests_than_fit_is_not_called_checked(
    fleet: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgexplorer.web.search_evidence.MAX_DIGESTS_OF_A_NO", 2)
    found = asked(q="log4j-core")
    assert not any(name.startswith("digests/") for name in found)
    answer = verify_sh(written(found, tmp_path / "evidence"), "true")
    assert answer.returncode == 3
    assert "universe.csv has the sha256 of each" in answer.stderr


def test_unverified_sboms_are_in_it_when_asked_for_and_then_not_called_checked(tmp_path: Path) -> None:
    allow("https://github.com/somebody/else")
    fetch(signed_image("openssl@3.3.1-r0"))
    assert json.loads(asked(q="openssl")["answer.json"])["results"] == []
    found = asked(q="openssl", unverified="1")
    (row,) = json.loads(found["answer.json"])["results"]
    assert row["state"] == "signer-not-allowed"
    assert b"also by SBOMs that are not verified" in found["answer.html"]
    answer = verify_sh(written(found, tmp_path / "evidence"), "true")
    assert answer.returncode == 3, answer.stderr
    assert "NOT CHECKED: sha256:" in answer.stderr


def test_an_sbom_file_that_nobody_signed_is_in_it_as_such(shared: Path) -> None:
    file = shared / "sboms-of-tools" / "cosign-3.1.3.spdx.json"
    call_command("import_sbom", str(file))
    (image,) = Image.objects.all()
    found = asked(q="github.com/sigstore/rekor", unverified="1")
    document = next(name for name in found if name.startswith("unsigned/"))
    assert found[document] == file.read_bytes()
    assert image.name.encode() in found["hits.csv"]


def test_an_index_that_alone_is_signed_is_proven_beside_its_platform(tmp_path: Path) -> None:
    allow()
    source = MemorySource()
    digest = source.push_image()
    attest(source, digest, spdx("openssl@3.3.1-r0"))
    sign(source, source.push_index("latest", amd64=digest))
    fetch(source)
    found = asked(q="openssl")
    index = Manifest.objects.get(is_index=True)
    assert any(name.startswith(f"digests/002-{index.digest[7:19]}/") for name in found)
    assert verify_sh(written(found, tmp_path / "evidence"), cosign()).returncode == 0


def test_more_digests_than_one_file_can_prove_are_refused_in_a_sentence(
    fleet: None, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgexplorer.web.search_evidence.MAX_DIGESTS_OF_A_PAGE", 1)
    monkeypatch.setattr("cgexplorer.web.search_evidence.MAX_DIGESTS", 1)
    answer = client.get(reverse("package-search-evidence"), {"q": "openssl"})
    assert answer.status_code == 413
    assert b"2 digests hold it" in answer.content
    target = tmp_path / "evidence.zip"
    with pytest.raises(CommandError, match="Narrow the search"):
        call_command("search", "openssl", "--evidence", str(target))
    assert not target.exists()


def test_a_search_that_cannot_be_read_is_refused(client: Client) -> None:
    answer = client.get(reverse("package-search-evidence"), {"q": "openssl<<3"})
    assert (answer.status_code, b"no version constraint" in answer.content) == (400, True)


def test_the_command_writes_the_same_file_and_still_prints_the_answer(fleet: None, tmp_path: Path, capsys) -> None:
    target = tmp_path / "evidence.zip"
    call_command("search", "openssl", "--evidence", str(target))
    page = Client().get(reverse("package-search-evidence"), {"q": "openssl"})
    assert target.read_bytes() == b"".join(page.streaming_content)
    assert "openssl: 2 of 4 images" in capsys.readouterr().out


def test_the_page_offers_it(fleet: None, client: Client) -> None:
    page = client.get("/packages/", {"q": "openssl", "v": "<3.3.2"}).content.decode()
    assert f"{reverse('package-search-evidence')}?q=openssl&amp;v=%3C3.3.2" in page


@pytest.mark.django_db(transaction=True)
def test_what_is_stored_meanwhile_changes_no_answer() -> None:
    def add() -> None:
        make.image("registry.example/late")
        connection.close()

    make.image("registry.example/early")
    with one_snapshot():
        before = Image.objects.count()
        writer = threading.Thread(target=add)
        writer.start()
        writer.join()
        assert Image.objects.count() == before
    assert Image.objects.count() == before + 1


def test_stock_cosign_verifies_the_hits_in_a_real_image(shared: Path, tmp_path: Path) -> None:
    layout = str(shared / "chainguard-postgres" / "oci-layout")
    call_command("import_layout", layout, "--as", "cgr.dev/chainguard/postgres:18.4")
    found = asked(q="openssl")
    assert json.loads(found["answer.json"])["total"]["digests"] > 0
    answer = verify_sh(written(found, tmp_path / "evidence"), cosign())
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("Holds: ") == sum(name.count("/verify.sh") for name in found)
