"""Which encoder the settings ask for."""

from bot.knowledge.encoder import E5Encoder, Encoder
from bot.settings import Settings


def encoder_of(settings: Settings) -> Encoder:
    """Return what turns texts into vectors."""
    if settings.frontdesk_embeddings_url is None:
        return E5Encoder()
    from bot.knowledge.embeddings_server import EmbeddingsServer

    return EmbeddingsServer(
        settings.frontdesk_embeddings_url,
        settings.frontdesk_embeddings_model,
        settings.frontdesk_embeddings_key,
    )
