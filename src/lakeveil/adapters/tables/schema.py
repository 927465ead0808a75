"""The one schema that all tables of our state are in."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()
