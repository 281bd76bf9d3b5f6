"""The business accounts that let the bot answer for them."""

from telegram import BusinessConnection
from telegram.error import BadRequest, Forbidden

from adapters.telegram.client import TelegramClient

_KEPT = 1000


class BusinessAccounts:
    """What each connection allows: told by Telegram when it changes, else asked for."""

    def __init__(self, client: TelegramClient) -> None:
        self._client = client
        self._known: dict[str, BusinessConnection] = {}

    def note(self, connection: BusinessConnection) -> None:
        """Remember a connection as it is now."""
        self._known.pop(connection.id, None)
        self._known[connection.id] = connection
        if len(self._known) > _KEPT:
            del self._known[next(iter(self._known))]

    async def may_reply(self, connection_id: str) -> bool:
        """Return whether the bot may answer. Raises TelegramError when that can't be asked."""
        connection = await self._get(connection_id)
        rights = connection.rights if connection and connection.is_enabled else None
        return bool(rights and rights.can_reply)

    async def may_delete(self, connection_id: str) -> bool:
        """Return whether the bot may delete what it sent. Raises TelegramError, as above."""
        connection = await self._get(connection_id)
        rights = connection.rights if connection and connection.is_enabled else None
        return bool(rights and (rights.can_delete_sent_messages or rights.can_delete_all_messages))

    async def _get(self, connection_id: str) -> BusinessConnection | None:
        if connection_id not in self._known:
            try:
                self.note(await self._client.bot.get_business_connection(connection_id))
            except (BadRequest, Forbidden):
                return None
        return self._known[connection_id]
