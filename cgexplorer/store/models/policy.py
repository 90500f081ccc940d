"""Who may sign, and which roots are trusted."""

from django.db import models


class TrustRoot(models.Model):
    sha256 = models.CharField(max_length=64, unique=True)  # of the trusted_root.json bytes
    name = models.CharField(max_length=64)  # "Sigstore public good", "cgexplorer sample images"
    is_sample = models.BooleanField(default=False)  # our throw-away Sigstore: labelled wherever its verdicts show
    payload = models.ForeignKey("store.Payload", models.PROTECT, related_name="+")
    imported_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class TrustUpdate(models.Model):
    """What became of the root behind a name, step by step: the newest with a root says which one is trusted now.

    Append-only, enforced by a trigger. A refresh that failed is a step too, without a root.
    """

    name = models.CharField(max_length=64)  # of the root, such as "Sigstore public good"
    source = models.CharField(max_length=10)  # shipped, refreshed, imported
    trust_root = models.ForeignKey(TrustRoot, models.PROTECT, null=True, related_name="updates")
    error = models.CharField(max_length=1000, blank=True)
    mirror = models.CharField(max_length=500, blank=True)
    # Versions of the TUF metadata, and the end of what ends first of it.
    root_version = models.IntegerField(null=True)
    timestamp_version = models.IntegerField(null=True)
    snapshot_version = models.IntegerField(null=True)
    targets_version = models.IntegerField(null=True)
    expires_at = models.DateTimeField(null=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["name", "-id"], name="trust_update_newest")]

    def __str__(self) -> str:
        return f"{self.name}: {self.source}"


class PolicyRow(models.Model):
    """A version of a policy. Changing a policy appends a version, so that old verdicts stay explained."""

    name = models.CharField(max_length=100)
    version = models.IntegerField(default=1)
    current = models.BooleanField(default=True)
    pattern = models.CharField(max_length=511)  # 'cgr.dev/chainguard/*', matched against Image.name; most specific wins
    issuer = models.TextField(blank=True)
    issuer_regexp = models.TextField(blank=True)
    identity = models.TextField(blank=True)
    identity_regexp = models.TextField(blank=True)
    key_pem = models.TextField(blank=True)
    key_digest = models.CharField(max_length=8, blank=True)  # hash of signatures with the key; "" = the usual one
    not_before = models.DateTimeField(null=True)  # the key may have signed from here on,
    not_after = models.DateTimeField(null=True)  # and until here
    # Claims of GitHub's certificates that must be exactly so; "" asks for nothing.
    workflow_trigger = models.TextField(blank=True)
    workflow_sha = models.TextField(blank=True)
    workflow_name = models.TextField(blank=True)
    workflow_repository = models.TextField(blank=True)
    workflow_ref = models.TextField(blank=True)
    threshold = models.IntegerField(default=1)  # distinct signers who must each be verified
    required_types = models.JSONField(default=list, blank=True)  # [predicate type]: what a complete image has
    annotations = models.JSONField(default=dict, blank=True)  # {key: value} that the signed claims must hold
    require_log = models.BooleanField(default=True)
    require_sct = models.BooleanField(default=True)
    use_signed_timestamps = models.BooleanField(default=True)
    require_timestamp = models.BooleanField(default=False)  # by an RFC 3161 authority of the trust root
    max_age_s = models.IntegerField(default=0)
    trust_root = models.ForeignKey(TrustRoot, models.PROTECT, null=True)  # null = the public-good root of the day
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="policy_version_once"),
            models.UniqueConstraint(fields=["name"], condition=models.Q(current=True), name="policy_current_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"
