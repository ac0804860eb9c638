"""The subcommands of `scripts/manage release`, by subject."""
