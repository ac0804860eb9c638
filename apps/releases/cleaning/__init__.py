"""What releases leave in storage, and nobody can need any more: manifests, blobs, the words of gone nodes."""
