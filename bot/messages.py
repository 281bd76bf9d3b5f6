"""What moves between the parts: immutable values, no behaviour beyond what they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NewType

ConversationId = NewType("ConversationId", str)
TurnId = NewType("TurnId", str)
PassageId = NewType("PassageId", str)

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

Role = Literal["customer", "assistant", "agent"]
Source = Literal[
    "draft",
    "article",
    "approved",
    "action",
    "courtesy",
    "clarification",
    "handoff",
    "command",
    "busy",
]
Stage = Literal["searching", "writing"]
HandoffReason = Literal[
    "no_article",
    "not_grounded",
    "asked_for_person",
    "complaint",
    "risk",
    "intent",
    "failure",
    "action_failed",
    "approval",
]
AttachmentKind = Literal["photo", "document", "voice", "audio", "video", "other"]
Verdict = Literal["up", "down", "withdrawn"]
Complaint = Literal["wrong", "off_topic", "unclear", "incomplete"]
COMPLAINTS: tuple[Complaint, ...] = ("wrong", "off_topic", "unclear", "incomplete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that came with a message. It stays at the platform; `id` is what fetches it there.

    `size` is in bytes, None when the platform does not say.
    """

    kind: AttachmentKind
    id: str
    name: str = ""
    media_type: str = ""
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One message of a customer, as an adapter hands it over.

    `event_keys` are the platform's natural keys of the event; an event of which any key was seen
    before is a duplicate. The first names the message itself. `address` says where the reply goes,
    in the adapter's own terms; one address is one conversation. `customer` is the platform's id of
    the person. `edits` is the first key of the message that this is a new version of. A pressed
    button that stands for a command is a message whose text is the command ("/human"). The messages
    of one `album`, one a picture, are one message with all of their files and its caption.
    """

    channel: str
    event_keys: tuple[str, ...]
    address: str
    customer: str
    text: str
    language: Language | None = None
    attachments: tuple[Attachment, ...] = ()
    edits: str | None = None
    album: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """A customer deleted a message; `event_key` is the first key it came with."""

    channel: str
    event_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What a customer thinks of a reply, named by its `turn` or by the `post` that shows it.

    `event_key` is the platform's key of the press or reaction; `origin` says which it was.
    `withdrawn` takes the customer's earlier verdict of the same origin back.
    """

    channel: str
    event_key: str
    customer: str
    verdict: Verdict
    origin: Literal["button", "reaction"]
    turn: TurnId | None = None
    post: str | None = None
    complaint: Complaint | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an answer is being written: for whom, and to which message (its first event key)."""

    address: str
    customer: str
    in_reply_to: str
    language: Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialogue:
    """Whose conversation it is, and where: the channel, the address there, the customer's id."""

    channel: str
    address: str
    customer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One party's contribution to a conversation; `source` is set on the assistant's, if known."""

    role: Role
    text: str
    source: Source | None = None


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
class Choice:
    """A button under a reply; pressing it is as good as writing its `command`."""

    label: str
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One possible reply. `refusal` says why it must not be shown; None means that it may be."""

    source: Source
    text: str
    citations: tuple[Citation, ...] = ()
    choices: tuple[Choice, ...] = ()
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

    @property
    def is_exploration(self) -> bool:
        """Whether another candidate was thought better."""
        return self.propensities[self.chosen] < max(self.propensities)

    def written(self, candidate: Candidate, *refused: Candidate) -> "Decision":
        """Return the decision with its candidate written out, and with what was refused of it.

        What the policy saw of the candidate, before it was written, stays among its features.
        """
        candidates = list(self.candidates)
        known = {**candidate.features, **self.candidate.features}
        candidates[self.chosen] = replace(candidate, features=known)
        return replace(
            self,
            candidates=(*candidates, *refused),
            propensities=(*self.propensities, *(0.0 for _ in refused)),
        )


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
class Document:
    """A text file that goes with a reply."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A checked reply on its way to a customer. `text` is Markdown, without the citations.

    `in_reply_to` is the first key of the message that it answers, or of the last one where it
    answers several; `also_answers` are the others'. `replaces` are the posts in whose place it
    goes, in order: the beginning of the answer that is already shown, or the answer to the version
    of a message that its author has edited since. A retraction has no text; its message was
    deleted, and the posts it replaces shall go too.
    """

    id: int
    conversation: ConversationId
    turn: TurnId
    channel: str
    address: str
    customer: str
    in_reply_to: str
    text: str
    source: Source
    language: Language
    citations: tuple[Citation, ...]
    candidates: int
    handed_off: bool
    also_answers: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    replaces: tuple[str, ...] = ()
    is_retraction: bool = False
    document: Document | None = None

    @property
    def invites_feedback(self) -> bool:
        """Whether it answers a question, so that a thumb up or down says something."""
        return self.source in ("draft", "article", "approved") and not self.is_retraction
