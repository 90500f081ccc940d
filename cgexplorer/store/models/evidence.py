"""Payloads, signed evidence and the runs that judged it."""

from typing import ClassVar

from django.contrib.postgres.indexes import HashIndex
from django.db import models

from cgexplorer.oci.evidence import Kind
from cgexplorer.store.models.image import OF_ITS_OWNER


class Payload(models.Model):
    """Content-addressed bytes, zstd-compressed. The signed bytes themselves: nothing is ever re-encoded."""

    sha256 = models.BinaryField(primary_key=True, max_length=32)
    size = models.BigIntegerField()  # bytes, decoded
    data = models.BinaryField()  # zstd level 3; STORAGE EXTERNAL by migration

    def __str__(self) -> str:
        return bytes(self.sha256).hex()


class Evidence(models.Model):
    """One stored signature or attestation of a manifest, with its newest verdict."""

    image = models.ForeignKey("store.Image", models.CASCADE)
    manifest = models.ForeignKey("store.Manifest", models.CASCADE, related_name="evidence")
    form = models.CharField(max_length=8)  # oci.evidence.Form
    kind = models.CharField(max_length=12)  # oci.evidence.Kind
    carrier = models.CharField(max_length=71, blank=True)  # digest of the manifest that carries it
    media_type = models.CharField(max_length=127)
    # JSON of the layer's annotations, exactly as the source holds them. Text: jsonb refuses what JSON allows (NUL).
    annotations_json = models.TextField(default="{}")
    content = models.ForeignKey(Payload, models.PROTECT, related_name="+")  # the layer
    # sha256 over layer and annotations. Bundles are malleable, so this is the identity of storage, not of the claim:
    # an SBOM is one per (manifest, payload), whatever the number of envelopes around it.
    fingerprint = models.BinaryField(max_length=32)
    first_seen_at = models.DateTimeField()
    observed_at = models.DateTimeField()
    # newest verdict
    state = models.CharField(max_length=24)
    reason = models.CharField(max_length=500, blank=True)
    predicate_type = models.CharField(max_length=255, blank=True)
    identity = models.TextField(blank=True)
    issuer = models.TextField(blank=True)
    signed_at = models.DateTimeField(null=True)
    log_index = models.BigIntegerField(null=True)
    payload = models.ForeignKey(Payload, models.PROTECT, null=True, related_name="+")  # signed bytes, authenticated
    sbom = models.ForeignKey("store.Sbom", models.SET_NULL, null=True, related_name="carriers")  # that it carries
    verdict = models.ForeignKey("store.VerdictRow", models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["manifest", "fingerprint"], name="evidence_once")]
        indexes = [
            models.Index(fields=["predicate_type", "manifest"], name="evidence_predicate"),
            HashIndex(fields=["identity"], name="evidence_identity"),  # longer than a B-tree entry may be
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.manifest_id}: {self.state}"


class _Signatures(models.Manager["Signature"]):
    def get_queryset(self) -> models.QuerySet["Signature"]:
        return super().get_queryset().filter(kind=Kind.SIGNATURE)


class _Attestations(models.Manager["Attestation"]):
    def get_queryset(self) -> models.QuerySet["Attestation"]:
        return super().get_queryset().filter(kind=Kind.ATTESTATION)


class Signature(Evidence):
    objects: ClassVar[models.Manager["Signature"]] = _Signatures()

    class Meta:
        proxy = True

    def __str__(self) -> str:
        return super().__str__()


class Attestation(Evidence):
    objects: ClassVar[models.Manager["Attestation"]] = _Attestations()

    class Meta:
        proxy = True

    def __str__(self) -> str:
        return super().__str__()


class VerificationRun(models.Model):
    """One verification of one manifest. Append-only, enforced by a trigger."""

    image = models.ForeignKey("store.Image", models.CASCADE)
    manifest = models.ForeignKey("store.Manifest", models.CASCADE, related_name="runs")
    trigger = models.CharField(max_length=16)  # ingest, re-verify, command, schedule
    source = models.CharField(max_length=16)  # registry, layout, stored
    reference = models.CharField(max_length=800)  # as asked
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    state = models.CharField(max_length=24)
    reason = models.CharField(max_length=500, blank=True)
    problems = models.JSONField(default=list)  # [{"place", "reason"}]: what could not be read
    tools = models.JSONField(default=dict)  # {"cgexplorer": …, "sigstore": …, "cryptography": …}
    trust_root = models.ForeignKey("store.TrustRoot", models.PROTECT, null=True)

    class Meta:
        indexes = [models.Index(fields=["manifest", "-id"], name="run_newest")]

    def __str__(self) -> str:
        return f"run {self.pk}: {self.state}"


class VerdictRow(models.Model):
    """What one run said of one piece of evidence, with every check. Append-only, enforced by a trigger."""

    image = models.ForeignKey("store.Image", **OF_ITS_OWNER)
    run = models.ForeignKey(VerificationRun, models.CASCADE, related_name="verdicts")
    evidence = models.ForeignKey(Evidence, models.CASCADE, related_name="verdicts")
    state = models.CharField(max_length=24)
    reason = models.CharField(max_length=500, blank=True)
    checks = models.JSONField()  # [{"name", "outcome", "expected", "found"}] in order
    identity = models.TextField(blank=True)
    issuer = models.TextField(blank=True)
    signed_at = models.DateTimeField(null=True)
    time_source = models.CharField(max_length=24, blank=True)
    log_entries = models.JSONField(default=list)
    certificate = models.JSONField(null=True)  # verdict.Certificate
    payload_sha256 = models.CharField(max_length=64, blank=True)
    predicate_type = models.CharField(max_length=255, blank=True)
    policy = models.ForeignKey("store.PolicyRow", models.PROTECT, null=True)  # that decided
    # [{"policy", "version", "state", "reason"}]: what the others said; null before that was kept
    tried = models.JSONField(null=True)
    trusted_root_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "evidence"], name="verdict_once")]

    def __str__(self) -> str:
        return f"{self.state} in run {self.run_id}"


class ClockAcceptance(models.Model):
    """Somebody says that this machine's clock is right, whatever was stored until then with a later date."""

    run = models.ForeignKey(VerificationRun, models.PROTECT, null=True, related_name="+")  # the newest at that time
    step = models.ForeignKey("store.TrustUpdate", models.PROTECT, null=True, related_name="+")  # likewise
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"clock accepted at {self.at}"
