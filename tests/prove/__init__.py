"""The promises of docs/delivery.md, tried: each proof breaks the real program on purpose.

`make prove` runs the long forms and prints one table; the suite runs the short ones.
"""
