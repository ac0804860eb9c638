"""How long releases take on a large site, and every page of theirs: `scripts/figures --releases`."""
