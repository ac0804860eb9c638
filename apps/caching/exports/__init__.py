"""Rules as the configuration of a cache in front, one module a target. Pure: rules in, text out."""
