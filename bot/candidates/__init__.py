"""Where possible replies come from, one module a source."""
