"""Every page. Sub-pages of a digest hang under `/-/`, because names of images have any depth."""

from __future__ import annotations

from django.urls import path, re_path, register_converter
from django.views.generic import RedirectView

from cgexplorer.web import (
    activities,
    attestations,
    build_history,
    compare,
    component,
    converters,
    digests,
    evidence,
    follows,
    history,
    home,
    images,
    packages,
    platforms,
    policy_form,
    search,
    settings_pages,
    tree,
    trust_roots,
    verification,
)

register_converter(converters.ImageName, "image")
register_converter(converters.TagName, "tag")
register_converter(converters.Digest, "digest")
register_converter(converters.Sha256, "sha256")

SECTIONS = (
    "images",
    "packages",
    "compare",
    "identities",
    "licenses",
    "policies",
    "registries",
    "follows",
    "activities",
    "states",
    "trust-roots",
)
DIGEST = "images/<image:name>@<digest:digest>"

urlpatterns = [
    path("", home.home, name="home"),
    path("jump", home.jump, name="jump"),
    path("fetch", home.fetch, name="fetch"),
    path("states/", home.states, name="states"),
    # images
    path("images/", images.image_list, name="images"),
    path("images.csv", images.image_list_csv, name="images-csv"),
    path("images.json", images.image_list_json, name="images-json"),
    path("images/-/reverify", verification.reverify_all, name="reverify-all"),
    path("images/<image:name>/-/reverify", verification.reverify_all, name="reverify-image"),
    path("images/<image:name>.csv", images.tag_list_csv, name="image-csv"),
    path("images/<image:name>.json", images.tag_list_json, name="image-json"),
    path("images/<image:name>", images.tag_list, name="image"),
    path("images/<image:name>:<tag:tag>.csv", history.timeline_csv, name="tag-csv"),
    path("images/<image:name>:<tag:tag>.json", history.timeline_json, name="tag-json"),
    path("images/<image:name>:<tag:tag>", history.timeline, name="tag"),
    # a digest
    path(f"{DIGEST}/-/packages.csv", packages.package_list_csv, name="packages-csv"),
    path(f"{DIGEST}/-/packages.json", packages.package_list_json, name="packages-json"),
    path(f"{DIGEST}/-/packages/<int:element>", packages.package, name="package"),
    path(f"{DIGEST}/-/packages", packages.package_list, name="packages"),
    path(f"{DIGEST}/-/tree", tree.tree, name="tree"),
    path(f"{DIGEST}/-/tree/<int:element>", tree.branch, name="branch"),
    path(f"{DIGEST}/-/licenses.csv", packages.license_list_csv, name="digest-licenses-csv"),
    path(f"{DIGEST}/-/licenses.json", packages.license_list_json, name="digest-licenses-json"),
    path(f"{DIGEST}/-/licenses", packages.license_list, name="digest-licenses"),
    path(f"{DIGEST}/-/files.csv", packages.file_list_csv, name="files-csv"),
    path(f"{DIGEST}/-/files.json", packages.file_list_json, name="files-json"),
    path(f"{DIGEST}/-/files", packages.file_list, name="files"),
    path(f"{DIGEST}/-/sbom.spdx.json", digests.sbom_document, {"form": "spdx"}, name="sbom-document"),
    path(f"{DIGEST}/-/sbom.cdx.json", digests.sbom_document, {"form": "cyclonedx"}, name="cyclonedx-document"),
    path(f"{DIGEST}/-/attestations", attestations.attestation_list, name="attestations"),
    path(f"{DIGEST}/-/attestations/<int:pk>", attestations.attestation_page, name="attestation"),
    path(f"{DIGEST}/-/attestations/<int:pk>/<str:part>", attestations.attestation_bytes, name="attestation-bytes"),
    path(f"{DIGEST}/-/provenance", attestations.provenance, name="provenance"),
    path(f"{DIGEST}/-/config", attestations.config, name="config"),
    path(f"{DIGEST}/-/verification.json", verification.verification_json, name="verification-json"),
    path(f"{DIGEST}/-/verification/<int:run>.json", verification.verification_json, name="verification-run-json"),
    path(f"{DIGEST}/-/verification.txt", verification.verification_text, name="verification-text"),
    path(f"{DIGEST}/-/verification/<int:run>.txt", verification.verification_text, name="verification-run-text"),
    path(f"{DIGEST}/-/verification", verification.verification_report, name="verification"),
    path(f"{DIGEST}/-/verification/<int:run>", verification.verification_report, name="verification-run"),
    path(f"{DIGEST}/-/tags.csv", history.digest_tags_csv, name="digest-tags-csv"),
    path(f"{DIGEST}/-/tags.json", history.digest_tags_json, name="digest-tags-json"),
    path(f"{DIGEST}/-/tags", history.digest_tags, name="digest-tags"),
    path(f"{DIGEST}/-/platforms.csv", platforms.platforms_csv, name="platforms-csv"),
    path(f"{DIGEST}/-/platforms.json", platforms.platforms_json, name="platforms-json"),
    path(f"{DIGEST}/-/evidence.zip", evidence.evidence_zip, name="evidence-zip"),
    path(f"{DIGEST}/-/reverify", digests.reverify, name="reverify"),
    path(DIGEST, digests.digest_page, name="digest"),
    # across images
    path("packages/", search.package_search, name="package-search"),
    path("packages.csv", search.package_search_csv, name="package-search-csv"),
    path("packages.json", search.package_search_json, name="package-search-json"),
    path("packages/<str:ecosystem>/<path:path>", component.component_page, name="component"),
    path("compare/", compare.compare_page, name="compare"),
    path("compare/builds", build_history.builds_page, name="builds"),
    path("compare/builds.csv", build_history.builds_csv, name="builds-csv"),
    path("compare/builds.json", build_history.builds_json, name="builds-json"),
    path("compare.csv", compare.compare_csv, name="compare-csv"),
    path("compare.json", compare.compare_json, name="compare-json"),
    path("compare.md", compare.compare_markdown, name="compare-markdown"),
    path("identities/", settings_pages.identities, name="identities"),
    path("licenses/", settings_pages.licenses, name="licenses"),
    path("policies/", settings_pages.policy_list, name="policies"),
    path("policies/new", policy_form.policy_form, name="policy-new"),
    path("registries/", settings_pages.registries, name="registries"),
    *[
        path(f"{table}.{form}", settings_pages.download, {"table": table, "form": form}, name=f"{table}-{form}")
        for table in settings_pages.TABLES
        for form in ("csv", "json")
    ],
    path("schemas/verification-1.json", verification.schema, name="verification-schema"),
    path("trust-roots/", trust_roots.root_list, name="trust-roots"),
    path("trust-roots/<sha256:sha256>.json", verification.trusted_root, name="trusted-root"),
    path("verify/runs/<int:pk>", verification.run_permalink, name="run"),
    path("follows/", follows.follow_list, name="follows"),
    path("follows.csv", follows.follow_list_csv, name="follows-csv"),
    path("follows.json", follows.follow_list_json, name="follows-json"),
    path("follows/new", follows.follow, name="follow"),
    path("follows/<image:name>/-/unfollow", follows.unfollow, name="unfollow"),
    path("follows/<image:name>/-/sync", follows.sync_now, name="sync-now"),
    path("syncs/<int:pk>.csv", follows.items_csv, name="sync-csv"),
    path("syncs/<int:pk>.json", follows.items_json, name="sync-json"),
    path("activities/", activities.activity_list, name="activities"),
    path("activities.csv", activities.activity_list_csv, name="activities-csv"),
    path("activities.json", activities.activity_list_json, name="activities-json"),
    path("activities/<int:pk>/again", activities.again, name="activity-again"),
    path("activities/<int:pk>", activities.activity, name="activity"),
    # A slash too many or too few is a habit, not a fault.
    *(path(name, RedirectView.as_view(url=f"/{name}/", query_string=True, permanent=True)) for name in SECTIONS),
    re_path(r"^(?P<path>.+?)/+$", home.without_slash),
]
