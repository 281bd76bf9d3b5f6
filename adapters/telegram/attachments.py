"""The files that come with a message in Telegram."""

from telegram import Message

from adapters.rendering import well_formed
from bot.messages import Attachment, AttachmentKind

# An animation comes as a document too, so it is looked for first.
_KINDS: tuple[tuple[str, AttachmentKind], ...] = (
    ("animation", "video"),
    ("document", "document"),
    ("voice", "voice"),
    ("audio", "audio"),
    ("video", "video"),
    ("video_note", "video"),
    ("sticker", "other"),
)


def attachments_of(message: Message) -> tuple[Attachment, ...]:
    """Return the file of a message, if any: Telegram puts one in each."""
    if message.photo:
        largest = max(message.photo, key=lambda size: size.width * size.height)
        media_type = "image/jpeg"  # Telegram turns every photo into one
        return (
            Attachment(
                kind="photo",
                id=well_formed(largest.file_id),
                media_type=media_type,
                size=_whole(largest.file_size),
            ),
        )
    for field, kind in _KINDS:
        if file := getattr(message, field):
            return (
                Attachment(
                    kind=kind,
                    id=well_formed(file.file_id),
                    name=well_formed(getattr(file, "file_name", None) or ""),
                    media_type=well_formed(getattr(file, "mime_type", None) or ""),
                    size=_whole(file.file_size),
                ),
            )
    return ()


def _whole(size: object) -> int | None:
    # More than a database takes is no size.
    return size if type(size) is int and 0 <= size < 2**63 else None
