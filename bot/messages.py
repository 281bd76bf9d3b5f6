"""What moves between the parts: immutable values, no behaviour beyond what they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NewType

ConversationId = NewType("ConversationId", str)
TurnId = NewType("TurnId", str)
PassageId = NewType("PassageId", str)

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

Role = Literal["customer", "assistant", "agent"]
Source = Literal["draft", "article", "courtesy", "clarification", "handoff"]
Stage = Literal["searching", "writing"]
HandoffReason = Literal["no_article", "asked_for_person", "failure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One message of a customer, as an adapter hands it over.

    `event_keys` are the platform's natural keys of the event; an event of which any key was seen
    before is a duplicate. `address` says where the reply goes, in the adapter's own terms; one
    address is one conversation. `customer` is the platform's id of the person.
    """

    channel: str
    event_keys: tuple[str, ...]
    address: str
    customer: str
    text: str
    language: Language | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One party's contribution to a conversation."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A searchable piece of a help article. `id` is a hash of what it says."""

    id: PassageId
    article: str
    title: str
    heading: str
    text: str
    language: Language
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """The article that a reply stands on."""

    article: str
    title: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One possible reply. `refusal` says why it must not be shown; None means that it may be."""

    source: Source
    text: str
    citations: tuple[Citation, ...] = ()
    features: Mapping[str, float] = field(default_factory=dict)
    refusal: str | None = None
    handoff_reason: HandoffReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One draw of a policy: the slate, the probability of each candidate, and the one drawn."""

    candidates: tuple[Candidate, ...]
    propensities: tuple[float, ...]
    chosen: int
    policy: str

    @property
    def candidate(self) -> Candidate:
        """The candidate that is shown."""
        return self.candidates[self.chosen]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One call of the model: what was asked, with which sampling, and what it took."""

    model: str
    prompt: str
    prompt_version: str
    sampling: Mapping[str, float]
    texts: tuple[str, ...]
    log_probabilities: tuple[float, ...]
    input_tokens: int | None
    output_tokens: int | None
    latency_ms: float
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A checked reply on its way to a customer. `text` is Markdown, without the citations."""

    id: int
    conversation: ConversationId
    turn: TurnId
    channel: str
    address: str
    in_reply_to: str
    text: str
    source: Source
    language: Language
    citations: tuple[Citation, ...]
    candidates: int
    handed_off: bool
