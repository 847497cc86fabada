"""Innkeeper: an open, self-hosted customer lifecycle engine."""

__version__ = "0.1.0"
