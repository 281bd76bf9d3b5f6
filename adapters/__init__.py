"""The edges: each turns a platform's events into Incoming, and Outgoing into its calls."""
