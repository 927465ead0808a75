"""Typed settings: what can be set (`tree`) and where the values come from (`loading`)."""

from lakeveil.settings.loading import Origins, load_settings, setting_rows
from lakeveil.settings.tree import (
    CollectionSettings,
    Http,
    Log,
    Models,
    PhotoLimits,
    Ports,
    Queue,
    Reconcile,
    Rekognition,
    Settings,
    Store,
    Telemetry,
    Worker,
)

__all__ = [
    "CollectionSettings",
    "Http",
    "Log",
    "Models",
    "Origins",
    "PhotoLimits",
    "Ports",
    "Queue",
    "Reconcile",
    "Rekognition",
    "Settings",
    "Store",
    "Telemetry",
    "Worker",
    "load_settings",
    "setting_rows",
]
