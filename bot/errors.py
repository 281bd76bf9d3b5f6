"""Everything that Frontdesk raises on purpose.

    FrontdeskError            one clear sentence: what is wrong and how to mend it
    ├── SettingsError         a setting is unknown, missing or out of range
    ├── ArticlesError         the articles can't be read
    ├── LogError              the database can't be opened, read or written
    │   └── LogInUse          another Frontdesk holds it
    ├── EncoderError          the embeddings server gave no vectors
    ├── IntentsError          intents can't be learned or told with what is there
    ├── RankingError          a policy can't be trained, evaluated or put in force
    ├── ModelError            the model gave no usable answer
    │   └── ModelUnavailable  it can't be reached, or isn't ready yet
    ├── ActionError           a tool did not do what it was asked
    │   └── ActionInDoubt     it may or may not have done it: calling again could do it twice
    ├── ChannelUnreachable    a platform can't be asked now; it may be over soon
    ├── AttachmentError       a customer's file can't be had from its platform, or not be read
    └── DeliveryError         a reply could not be handed to its platform
        ├── DeliveryInDoubt   it may or may not have arrived: sending again could answer twice
        └── DeliveryRefused   the platform will never take it: don't try again

The command line prints a FrontdeskError as one line and exits with 2. Anything else that reaches
it is a defect and keeps its traceback.
"""


class FrontdeskError(Exception):
    """Base of all errors whose message is written for the operator."""


class SettingsError(FrontdeskError):
    """A setting is unknown, missing or out of range."""


class ArticlesError(FrontdeskError):
    """The articles can't be read."""


class LogError(FrontdeskError):
    """The database can't be opened, read or written."""


class LogInUse(LogError):
    """Another Frontdesk holds the database."""


class EncoderError(FrontdeskError):
    """The embeddings server gave no vectors."""


class IntentsError(FrontdeskError):
    """Intents can't be learned or told with what is there."""


class RankingError(FrontdeskError):
    """A policy can't be trained, evaluated or put in force."""


class ModelError(FrontdeskError):
    """The model gave no usable answer."""


class ModelUnavailable(ModelError):
    """The model can't be reached, or isn't ready yet."""


class ActionError(FrontdeskError):
    """A tool did not do what it was asked."""


class ActionInDoubt(ActionError):
    """It may or may not have done it; calling again could do it twice."""


class ChannelUnreachable(FrontdeskError):
    """A platform can't be asked now; it may be over soon."""


class AttachmentError(FrontdeskError):
    """A customer's file can't be had from its platform, or not be read."""


class DeliveryError(FrontdeskError):
    """A reply could not be handed to its platform this time.

    `retry_after_seconds` is what the platform asked for, or None. `posts` are those that show some
    of the reply by now, or still what it replaces; None when nothing has changed there.
    """

    posts: tuple[str, ...] | None = None

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class DeliveryInDoubt(DeliveryError):
    """It may or may not have arrived; sending again could answer twice."""


class DeliveryRefused(DeliveryError):
    """The platform will never take this reply, e.g. the customer blocked the bot."""
