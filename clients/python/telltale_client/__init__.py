"""Tells how a long-running analysis goes: to a Telltale gateway, and from there to browsers. Watches such analyses as well."""

from .analysis import Analysis, Cancelled
from .async_analysis import AsyncAnalysis
from .schema import EventRefused
from .watch_async import AsyncWatch, awatch
from .watch_sync import Watch, watch
from .watch_types import CancelRefused, WatchRefused

__all__ = [
    "Analysis",
    "AsyncAnalysis",
    "AsyncWatch",
    "CancelRefused",
    "Cancelled",
    "EventRefused",
    "Watch",
    "WatchRefused",
    "awatch",
    "watch",
]
