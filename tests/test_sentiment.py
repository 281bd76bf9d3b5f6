"""Pleased or annoyed, in both languages."""

import pytest

from bot.sentiment import sentiment_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Great, that works now, thank you", 1, id="pleased"),
        pytest.param("This is useless and you are rude", -1, id="annoyed"),
        pytest.param("I’m not happy with this", -1, id="negated"),
        pytest.param("Where is my parcel?", 0, id="neutral"),
        pytest.param("太好了，谢谢", 1, id="pleased-zh"),
        pytest.param("服务太差，我很失望", -1, id="annoyed-zh"),
        pytest.param("我对这次服务不满意", -1, id="negated-zh"),
        pytest.param("我的包裹到哪里了？", 0, id="neutral-zh"),
        pytest.param("Thanks, but I am disappointed", 0, id="both"),
    ],
)
def test_that_clear_words_tell(text: str, expected: int) -> None:
    assert sentiment_of(text) == expected
