"""Providers and helpers that stand in for the world, and misbehave on request."""
