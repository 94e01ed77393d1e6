"""A small HTTP API for notes."""
