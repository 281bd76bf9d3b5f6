"""The names of the methods, apart from their code, which needs torch."""

# In the order in which they are tried: the simplest, then as they won on public sets.
METHODS = (
    "linear",
    "self-training",
    "propagation",
    "fine-tuning",
    "self-training-tuned",
    "gan",
    "lstm",
)
