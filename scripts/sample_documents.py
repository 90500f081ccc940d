"""The three predicates and the image of a sample build, in the shape that apko gives them."""

from __future__ import annotations

import hashlib
from typing import Any

from scripts.sample_facts import APKS, REGISTRY, Apk, Build

PLATFORMS = {"amd64": "x86_64", "arm64": "aarch64"}  # OCI name → apk name
GENERATOR = "Tool: apko (v1.2.21)"


def version_of(apk_version: str) -> str:
    """Upstream's version: 3.6.3-r5 → 3.6.3."""
    return apk_version.rpartition("-r")[0]


def _license(build: Build, name: str) -> str:
    return build.licenses.get(name, APKS[name].source.license)


def _commit(build: Build) -> str:
    return hashlib.sha1(f"{build.repository} {build.built}".encode(), usedforsecurity=False).hexdigest()


def image_configuration(build: Build, architecture: str, diff_ids: list[str]) -> dict[str, Any]:
    """OCI image configuration."""
    return {
        "architecture": architecture,
        "author": "example",
        "config": {
            "Cmd": [],
            "Entrypoint": [build.entrypoint],
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", *_environment(build)],
            "User": build.run_as,
            "Labels": {"org.opencontainers.image.title": build.repository},
        },
        "created": f"{build.built}T02:11:09Z",
        "history": [{"created": f"{build.built}T02:11:09Z", "created_by": "apko"}],
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }


def _environment(build: Build) -> list[str]:
    return ["SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"] if build.repository == "python" else []


def apko_configuration(build: Build, architecture: str) -> dict[str, Any]:
    """https://apko.dev/image-configuration"""
    return {
        "accounts": {
            "groups": [{"gid": 65532, "groupname": "nonroot", "members": []}],
            "run-as": build.run_as,
            "users": [{"gid": 65532, "homedir": "", "shell": "", "uid": 65532, "username": "nonroot"}],
        },
        "annotations": {
            "org.opencontainers.image.title": build.repository,
            "org.opencontainers.image.source": f"https://github.com/example/images/tree/main/images/{build.repository}",
        },
        "archs": [architecture],
        "cmd": "",
        "contents": {
            "build_repositories": [],
            "keyring": ["https://packages.wolfi.dev/os/wolfi-signing.rsa.pub"],
            "packages": [f"{name}={version}" for name, version in sorted(build.packages.items())],
            "repositories": ["https://packages.wolfi.dev/os"],
        },
        "entrypoint": {"command": build.entrypoint, "services": {}, "shell-fragment": "", "type": ""},
        "environment": {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        | dict(line.split("=", 1) for line in _environment(build)),
        "paths": [],
        "stop-signal": "",
        "vcs-url": f"https://github.com/example/images@{_commit(build)}",
        "volumes": [],
        "work-dir": "",
    }


def provenance(build: Build) -> dict[str, Any]:
    """https://slsa.dev/provenance/v1"""
    run = int(_commit(build)[:8], 16)
    return {
        "buildDefinition": {
            "buildType": "https://apko.dev/slsa-build-type@v1",
            "externalParameters": {"image": f"{REGISTRY}/{build.repository}", "tags": list(build.tags)},
            "internalParameters": dict(sorted(build.packages.items())),
            "resolvedDependencies": [
                {"uri": "git+https://github.com/example/images", "digest": {"gitCommit": _commit(build)}}
            ],
        },
        "runDetails": {
            "builder": {"id": "https://github.com/example/images/.github/workflows/release.yaml"},
            "metadata": {
                "invocationId": f"https://github.com/example/images/actions/runs/{run}/attempts/1",
                "startedOn": f"{build.built}T02:10:31Z",
                "finishedOn": f"{build.built}T02:11:42Z",
            },
        },
    }


def spdx(build: Build, architecture: str, manifest_digest: str, layer_digest: str) -> dict[str, Any]:
    """https://spdx.dev/Document: the image, its layer, each apk with its source and its melange file."""
    image = f"SPDXRef-Package-Image-{manifest_digest.replace(':', '-')}"
    layer = f"SPDXRef-Package-ImageLayer-{layer_digest.replace(':', '-')}"
    packages = {
        image: _oci(image, manifest_digest, architecture, "apko container image", "image.manifest.v1%2Bjson"),
        layer: _oci(layer, layer_digest, architecture, "apko operating system layer", "image.layer.v1.tar%2Bgzip"),
    }
    relationships = [_relationship(image, "CONTAINS", layer)]
    for name, version in sorted(build.packages.items()):
        elements, edges = _apk(build, name, version, PLATFORMS[architecture])
        packages |= {element["SPDXID"]: element for element in elements}
        relationships += [_relationship(image, "CONTAINS", elements[0]["SPDXID"]), *edges]
    for name, version in build.modules.items():
        element = _module(name, version)
        packages[element["SPDXID"]] = element
        holder = f"SPDXRef-Package-apk-py3-pip-wheel-{build.packages['py3-pip-wheel']}"
        relationships.append(_relationship(holder, "CONTAINS", element["SPDXID"]))
    return {
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"sbom-{layer_digest}",
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "documentNamespace": "https://spdx.org/spdxdocs/apko/",
        "creationInfo": {
            "created": f"{build.built}T02:11:40Z",
            "creators": [GENERATOR, "Organization: example"],
            "licenseListVersion": "3.27",
        },
        "documentDescribes": [image],
        "packages": list(packages.values()),
        "relationships": relationships,
    }


def _relationship(source: str, kind: str, target: str) -> dict[str, str]:
    return {"spdxElementId": source, "relationshipType": kind, "relatedSpdxElement": target}


def _purl(locator: str) -> list[dict[str, str]]:
    return [{"referenceCategory": "PACKAGE-MANAGER", "referenceLocator": locator, "referenceType": "purl"}]


def _oci(spdx_id: str, digest: str, architecture: str, description: str, media_type: str) -> dict[str, Any]:
    locator = f"pkg:oci/image@{digest}?arch={architecture}&mediaType=application%2Fvnd.oci.{media_type}&os=linux"
    return {
        "SPDXID": spdx_id,
        "name": digest,
        "versionInfo": digest,
        "description": description,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "primaryPackagePurpose": "CONTAINER",
        "supplier": "Organization: example",
        "checksums": [{"algorithm": "SHA256", "checksumValue": digest.removeprefix("sha256:")}],
        "externalRefs": _purl(locator),
    }


def _module(name: str, version: str) -> dict[str, Any]:
    return {
        "SPDXID": f"SPDXRef-Package-python-{name}-{version}",
        "name": name,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "MIT",
        "supplier": "Organization: Wolfi",
        "externalRefs": _purl(f"pkg:pypi/{name}@{version}"),
    }


def _apk(build: Build, name: str, version: str, arch: str) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """The apk, its source and its melange file, and the edges between them."""
    apk = APKS[name]
    license_declared = _license(build, name)
    common = {"filesAnalyzed": False, "licenseConcluded": "NOASSERTION", "licenseDeclared": license_declared}
    installed = {
        "SPDXID": f"SPDXRef-Package-apk-{name}-{version}",
        "name": name,
        "versionInfo": version,
        "description": apk.summary,
        "copyrightText": "NOASSERTION",
        "downloadLocation": "NOASSERTION",
        "primaryPackagePurpose": "APPLICATION",
        "originator": "Organization: Wolfi",
        "supplier": "Organization: Wolfi",
        "externalRefs": _purl(f"pkg:apk/wolfi/{name}@{version}?arch={arch}&distro=wolfi"),
        **common,
    }
    source, melange = _source(apk, version) | common, _melange(build, apk) | common
    edges = [
        _relationship(installed["SPDXID"], "GENERATED_FROM", source["SPDXID"]),
        _relationship(installed["SPDXID"], "DESCRIBED_BY", melange["SPDXID"]),
    ]
    return [installed, source, melange], edges


def _source(apk: Apk, version: str) -> dict[str, Any]:
    tag = apk.source.tag.format(version=version_of(version))
    owner = apk.source.repository.partition("/")[0].capitalize()
    slug = f"{apk.source.repository}-{tag}".replace("/", "-").replace("_", "-")
    return {
        "SPDXID": f"SPDXRef-Package-Source-github.com-{slug}",
        "name": apk.source.origin,
        "versionInfo": tag,
        "downloadLocation": f"https://github.com/{apk.source.repository}/archive/refs/tags/{tag}.tar.gz",
        "primaryPackagePurpose": "SOURCE",
        "originator": f"Organization: {owner}",
        "supplier": f"Organization: {owner}",
        "externalRefs": _purl(f"pkg:github/{apk.source.repository.lower()}@{tag}"),
    }


def _melange(build: Build, apk: Apk) -> dict[str, Any]:
    commit = _commit(build)
    return {
        "SPDXID": f"SPDXRef-Package-Melange-{apk.source.origin}.yaml-{commit}",
        "name": f"{apk.source.origin}.yaml",
        "versionInfo": commit,
        "downloadLocation": "NOASSERTION",
        "primaryPackagePurpose": "INSTALL",
        "originator": "Organization: Wolfi",
        "supplier": "Organization: Wolfi",
        "externalRefs": _purl(f"pkg:github/example/packages@{commit}#{apk.source.origin}.yaml"),
    }
