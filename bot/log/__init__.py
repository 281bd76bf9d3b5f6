"""The dialogue log: one SQLite file, one writer, named migrations."""
