"""Fixtures for every test."""

from __future__ import annotations

from tests.stack_fixture import nats, weed

__all__ = ["nats", "weed"]
