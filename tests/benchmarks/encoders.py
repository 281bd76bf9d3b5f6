"""A program that has only loaded what finds passages by meaning: its memory is taken off.

python -m tests.benchmarks.encoders
"""

import sys

from bot.knowledge.encoder import E5Encoder

# As long as the longest of the questions: the encoder needs more for longer ones.
QUESTION = (
    "I bought a tent in the sale last week and it came with a broken pole, can I send it back?"
)

if __name__ == "__main__":
    E5Encoder().questions([QUESTION])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
