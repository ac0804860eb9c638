"""Drafts of rules out of what another system says or sends: pure, text and headers in, contents out."""
