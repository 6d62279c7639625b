"""Waiting and pacing on asyncio, ignorant of HTTP."""
