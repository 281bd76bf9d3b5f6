"""Files: what customers attach, and the document that a reply brings."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError, SlackRequestError

from adapters.slack.addresses import Address, unscoped
from adapters.slack.client import NETWORK_ERRORS, error_code, explain, seconds_to_wait, status_of
from adapters.slack.formatting import Body, code_blocks
from adapters.slack.workspaces import Workspaces
from bot.errors import AttachmentError, DeliveryError
from bot.messages import Attachment, Document

if TYPE_CHECKING:
    from adapters.slack.posting import Posting

LARGEST_BYTES = 20 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024


async def fetch(workspaces: Workspaces, attachment: Attachment) -> bytes:
    """Return the content of a file. Raises AttachmentError when it can't be had."""
    team, file_id = unscoped(attachment.id)
    try:
        answer = await workspaces.ask(team, lambda client: client.files_info(file=file_id))
        file = answer.get("file") or {}
        address = str(file.get("url_private_download") or file.get("url_private") or "")
        if int(file.get("size") or 0) > LARGEST_BYTES:
            raise AttachmentError(_too_large())
        if not _is_slacks(address, workspaces.base_url):
            raise AttachmentError("Slack names no address of its own for the file.")
        return await _download(workspaces, address, await workspaces.token(team))
    except SlackApiError as err:
        raise AttachmentError(f"Slack does not give the file ({error_code(err)}).") from err
    except NETWORK_ERRORS as err:
        sentence = explain(err, workspaces.token_name(team), workspaces.base_url)
        raise AttachmentError(sentence) from err
    except DeliveryError as err:
        raise AttachmentError(str(err)) from err


async def _download(workspaces: Workspaces, address: str, token: str) -> bytes:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        workspaces.session() as session,
        # A redirect could lead the token elsewhere.
        session.get(
            address, headers=headers, proxy=workspaces.client(token).proxy, allow_redirects=False
        ) as response,
    ):
        if response.status != 200:
            raise AttachmentError(f"Slack does not give the file (status {response.status}).")
        return await _read(response)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        content += chunk
        if len(content) > LARGEST_BYTES:
            raise AttachmentError(_too_large())
    return bytes(content)


def _too_large() -> str:
    return f"The file is larger than {LARGEST_BYTES // 1024 // 1024} MB."


def _is_slacks(address: str, base_url: str) -> bool:
    """Return whether a file's address is Slack's, or where SLACK_API_BASE_URL is."""
    try:
        parts, base = urlsplit(address), urlsplit(base_url)
    except ValueError:
        return False
    if (parts.scheme, parts.netloc) == (base.scheme, base.netloc):
        return True
    host = parts.hostname or ""
    return parts.scheme == "https" and (host == "slack.com" or host.endswith(".slack.com"))


async def upload(
    workspaces: Workspaces, posting: "Posting", where: Address, document: Document
) -> None:
    """Send a text file to a DM; as blocks of code where Slack does not take the file.

    Raises DeliveryError when it can't be sent now.
    """
    token = workspaces.token_name(where.team)
    try:
        await workspaces.ask(
            where.team,
            lambda client: client.files_upload_v2(
                channel=where.channel,
                thread_ts=where.thread,
                filename=document.name,
                title=document.name,
                content=document.text or " ",
            ),
        )
    except SlackApiError as err:
        seconds = seconds_to_wait(err)
        if seconds is not None or status_of(err) >= 500:
            sentence = explain(err, token, workspaces.base_url)
            raise DeliveryError(sentence, seconds) from err
    except SlackRequestError:
        pass
    except NETWORK_ERRORS as err:
        raise DeliveryError(explain(err, token, workspaces.base_url)) from err
    else:
        return
    for text in code_blocks(document.text):
        await posting.post(
            where, Body(text), {"event_type": "frontdesk_document", "event_payload": {}}
        )
