"""The page of transcripts: what stands there is what people still see."""

import shutil
from pathlib import Path

from bot.settings import EXAMPLE_ARTICLES
from docs.transcripts import PAGE, as_markdown, play, slack_private, telegram_question


async def test_that_the_page_shows_what_people_see_today(tmp_path: Path) -> None:
    for language in ("en", "zh"):
        article = Path(language) / "return-an-item.md"
        (tmp_path / language).mkdir()
        shutil.copy(EXAMPLE_ARTICLES / article, tmp_path / article)

    played = await play((telegram_question, slack_private), articles=tmp_path)

    page = PAGE.read_text(encoding="utf-8")
    missing = [dialogue for dialogue in played if as_markdown(dialogue) not in page]
    assert missing == []
    assert len(played) == 4
