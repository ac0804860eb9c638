"""Previews of releases that are not published, each on a host of its own. docs/preview.md has the whole."""
