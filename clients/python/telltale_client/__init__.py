"""Tells how a long-running analysis goes: to a Telltale gateway, and from there to browsers."""

from .analysis import Analysis, Cancelled
from .async_analysis import AsyncAnalysis
from .schema import EventRefused

__all__ = ["Analysis", "AsyncAnalysis", "Cancelled", "EventRefused"]
