"""What the bot can do beside answering: tools of MCP servers and of plain HTTP, declared in a file.

A tool that only reads runs alone. One that changes something is carried out once, after the
customer's yes and, where set so, an agent's.
"""
