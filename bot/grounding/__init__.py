"""Whether a draft says only what the passages say.

A small model invents freely, so each of these must hold or the draft is never shown (checking.py):

- it is written in the customer's language, and is an answer at all;
- every number stands in a passage, before the same unit ("30 days" is not "30 working days");
- every link, mail address and phone number stands in a passage as it is;
- every sentence stands in one sentence of a passage, or each of its clauses does in one of the same
  passage (statements.py). There its words stand close together (places.py). One word that this
  sentence, or the title and what leads into it, has not is enough to be about something else
  ("express" for "standard"); only words that say nothing by themselves may be added (terms.py);
- they stand in the same order, or phrase by phrase ("within 30 days, you can ..."), and what stands
  behind "to", "from", "than" and their like does so there too (order.py);
- its numbers stand there in the same order, and so do its limits: conditions and bounds, "all" and
  "some", "must" and "may" (qualifiers.py). A condition that the question names need not be said
  again;
- each clause has as many negations as the clause it comes from (differences.py);
- "it" and what has no subject of its own speak of what was named before;
- "yes" and "no" stand only before a statement that says so of what was asked.

Words that say the same (bot/synonyms.py) count as one word, and a sentence that is mere courtesy
needs no support, but is not enough for an answer.

The rules are lexical: they catch inventions, not every true sentence about something else.
"""

from bot.grounding.checking import NO_ANSWER, Grounding, check, finished, unknown_quantity
from bot.grounding.numbers import quantities
from bot.grounding.splitting import sentences

__all__ = [
    "NO_ANSWER",
    "Grounding",
    "check",
    "finished",
    "quantities",
    "sentences",
    "unknown_quantity",
]
