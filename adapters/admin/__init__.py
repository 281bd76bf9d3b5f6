"""The team's pages: the list of conversations and the transcript with the reasons of each reply."""

from adapters.admin.pages import Admin

__all__ = ["Admin"]
