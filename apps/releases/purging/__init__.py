"""Lets the caches in front forget what a publication or a roll back has changed: that, and nothing else."""
