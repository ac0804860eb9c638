"""The subcommands of `scripts/manage release` and `scripts/manage channel`, by subject."""
