"""Linear heads fitted to vectors: multinomial logistic regression by L-BFGS, in torch."""

import numpy as np
import torch
from torch.nn import functional

from bot.intents.heads import Head
from bot.knowledge.encoder import Vectors

STRENGTH = 20.0  # of the examples against the weights' size; chosen on Banking77's training part
_STEPS = 80


def fit_head(
    vectors: Vectors,
    targets: Vectors,
    weights: Vectors | None = None,
    *,
    several: bool = False,
    strength: float = STRENGTH,
) -> Head:
    """Fit a head to targets of shape (vectors, intents), shares of 1, each row weighed.

    With `several`, each intent is told by itself, since a message can have more than one.
    """
    known, wanted = torch.from_numpy(vectors), torch.from_numpy(targets)
    weighed = torch.ones(len(vectors)) if weights is None else torch.from_numpy(weights)
    matrix = torch.zeros(vectors.shape[1], targets.shape[1], requires_grad=True)
    bias = torch.zeros(targets.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([matrix, bias], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        logits = known @ matrix + bias
        if several:
            each = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
            errors = each.sum(1)
        else:
            errors = -(wanted * functional.log_softmax(logits, 1)).sum(1)
        total = strength * (weighed * errors).sum() + 0.5 * (matrix**2).sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return Head(_array(matrix), _array(bias))


def _array(tensor: torch.Tensor) -> Vectors:
    return np.array(tensor.detach().numpy(), dtype=np.float32)
