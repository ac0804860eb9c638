from django.dispatch import Signal

blobs_encoded = Signal()
"""Sent when a job has tried content codings for blobs, with `digests`: their SHA-256 in hex."""
