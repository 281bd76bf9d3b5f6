"""Groups of commands that are too long for bot/__main__.py, one module each."""
