"""What `scripts/run` does once Python is there: check, prepare, publish a first release, start, watch."""
