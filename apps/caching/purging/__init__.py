"""Telling the caches in front what to forget: one module a kind of cache, no database."""
