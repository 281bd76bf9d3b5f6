"""Which workspaces installed the app, with their tokens, in the project's database.

A token is stored encrypted; the key lies in a file beside the database that only the program's user
can read. A copy of the database alone gives no access to anybody's workspace.
"""

import hashlib
import json
import logging
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.installation_store.models.bot import Bot
from slack_sdk.oauth.installation_store.models.installation import Installation
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from sqlite_utils import Database

from bot.errors import SettingsError
from bot.log.store import Store

KEY_FILE = "slack.key"
STATE_SECONDS = 600
MOST_STATES = 1000  # that are known to be used; Slack takes the code beside a state once, too
_TOO_MANY = (
    "state_hash IN (SELECT state_hash FROM slack_oauth_states"
    " ORDER BY created_at DESC LIMIT -1 OFFSET ?)"
)
_logger = logging.getLogger(__name__)


class SlackInstallations(AsyncInstallationStore, AsyncOAuthStateStore):
    """Installations, and the states of those under way that were used up.

    Raises SettingsError when the key file can't be made or read.
    """

    def __init__(
        self,
        store: Store,
        folder: Path,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._now = now
        self._fernet = _fernet(folder / KEY_FILE)

    @property
    def logger(self) -> logging.Logger:
        """The logger that the library asks for."""
        return _logger

    async def token(self, team: str) -> str | None:
        """Return the token of a workspace, or None when it has not installed the app."""
        found = await self.async_find_installation(enterprise_id=None, team_id=team)
        return found.bot_token if found else None

    async def count(self) -> int:
        """Return how many workspaces have installed the app."""
        return int(
            await self._store.read(
                lambda db: db.execute("SELECT COUNT(*) FROM slack_installations").fetchone()[0]
            )
        )

    async def async_save(self, installation: Installation) -> None:
        """Store an installation in place of an earlier one of the same workspace."""
        values = {**installation.to_dict_for_copying(), "installed_at": None}
        data = self._fernet.encrypt(json.dumps(values, default=str).encode())
        row = {
            "enterprise": installation.enterprise_id or "",
            "team": installation.team_id or "",
            "installed_at": datetime.now(UTC).isoformat(),
            "data": data,
        }

        def save(db: Database) -> None:
            db.table("slack_installations").upsert(row, pk=("enterprise", "team"))

        await self._store.write(save)

    async def async_save_bot(self, bot: Bot) -> None:
        """Do nothing: an installation holds its bot."""

    async def async_find_bot(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        is_enterprise_install: bool | None = False,
    ) -> Bot | None:
        """Return the bot of a workspace, or None."""
        found = await self.async_find_installation(
            enterprise_id=enterprise_id,
            team_id=team_id,
            is_enterprise_install=is_enterprise_install,
        )
        return found.to_bot() if found else None

    async def async_find_installation(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None = None,
        is_enterprise_install: bool | None = False,
    ) -> Installation | None:
        """Return the installation of a workspace, or None."""
        rows = await self._store.read(
            lambda db: list(
                db.query(
                    "SELECT data FROM slack_installations WHERE team = ? "
                    "AND (? = '' OR enterprise = ?) ORDER BY installed_at DESC LIMIT 1",
                    [team_id or "", enterprise_id or "", enterprise_id or ""],
                )
            )
        )
        return self._read(rows[0]["data"]) if rows else None

    def _read(self, data: bytes) -> Installation | None:
        try:
            values: dict[str, Any] = json.loads(self._fernet.decrypt(data))
        except (InvalidToken, ValueError):
            _logger.error(
                "A Slack installation can't be read with the key in %s: put the right key back, "
                "or let the workspace install the app again.",
                KEY_FILE,
            )
            return None
        return Installation(**values)

    async def async_delete_installation(
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None = None
    ) -> None:
        """Forget a workspace's installation."""

        def delete(db: Database) -> None:
            db.table("slack_installations").delete_where("team = ?", [team_id or ""])

        await self._store.write(delete)

    async def async_delete_bot(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        """Forget a workspace's installation."""
        await self.async_delete_installation(enterprise_id=enterprise_id, team_id=team_id)

    async def async_issue(self, *args: Any, **kwargs: Any) -> str:
        """Return a new state for one installation, good for ten minutes.

        Nothing is stored: anybody may ask for one, as often as they like.
        """
        at = int(self._now().timestamp())
        return self._fernet.encrypt_at_time(secrets.token_bytes(16), at).decode()

    async def async_consume(self, state: str) -> bool:
        """Return whether a state was issued in the last ten minutes; it is used up then."""
        now = self._now()
        try:
            self._fernet.decrypt_at_time(state.encode(), STATE_SECONDS, int(now.timestamp()))
        except InvalidToken:
            return False
        row = {"state_hash": _hash(state), "created_at": now.isoformat()}

        def consume(db: Database) -> bool:
            used = db.table("slack_oauth_states")
            used.delete_where("created_at < ?", [_oldest(now)])
            if used.count_where("state_hash = ?", [row["state_hash"]]):
                return False
            used.insert(row, pk="state_hash")
            used.delete_where(_TOO_MANY, [MOST_STATES])
            return True

        return await self._store.write(consume)


def _hash(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _oldest(now: datetime) -> str:
    return (now - timedelta(seconds=STATE_SECONDS)).isoformat()


def _fernet(path: Path) -> Fernet:
    """Return the cipher with the key in a file, which is made when it is missing."""
    try:
        return Fernet(_key(path))
    except (OSError, ValueError) as err:
        reason = err.strerror if isinstance(err, OSError) else "it holds no key"
        raise SettingsError(
            f"The key of Slack's installations, {path}, can't be used ({reason}): make the folder "
            "writable, or put the file back from your backup."
        ) from None


def _key(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes().strip()
    key = Fernet.generate_key()
    with os.fdopen(descriptor, "wb") as file:
        file.write(key + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return key
