"""The customer's chat page and the HTTP API, served from one process beside the other channels."""
