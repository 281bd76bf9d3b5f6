"""A made log of choices: each topic has one right reply, in English and in Chinese."""

import random

from bot.ranking.scorer.examples import Example

# What customers say of a topic, and the reply that the team picks.
TOPICS = (
    ("parcel late delivery tracking courier", "Your parcel is on its way, see the tracking page."),
    ("refund money card bank payment", "The money is back on your card within five days."),
    ("password login account locked reset", "Reset your password with the link on the login page."),
    ("tent pole broken repair warranty", "Send the tent to our workshop, repairs are free."),
    ("发货 包裹 快递 物流 运输", "您的包裹已经发货，请查看物流页面。"),
    ("退款 银行 支付 到账 账单", "退款会在五天内到账。"),
)
OPENINGS = ("Hello", "你好", "I need some help", "Is anybody there")
OFFERED = 4


def choices(count: int, seed: int, *, right: float | None = None) -> list[Example]:
    """Return choices of the right reply; `right` is the reward of each."""
    rng = random.Random(seed)
    return [choice(rng, right=right) for _ in range(count)]


def choice(rng: random.Random, *, right: float | None = None) -> Example:
    """Return one choice of the right reply among four."""
    words, reply = rng.choice(TOPICS)
    said = rng.sample(words.split(), 3)
    context = (rng.choice(OPENINGS), f"{rng.randrange(10_000)}", " ".join(said))
    others = rng.sample([text for _, text in TOPICS if text != reply], OFFERED - 1)
    slate = [reply, *others]
    rng.shuffle(slate)
    return Example(
        context=context, candidates=tuple(slate), chosen=slate.index(reply), reward=right
    )


def wrong_choice(rng: random.Random) -> Example:
    """Return a choice that turned out wrong: one of the other replies was given."""
    good = choice(rng)
    others = [place for place in range(OFFERED) if place != good.chosen]
    return Example(
        context=good.context, candidates=good.candidates, chosen=rng.choice(others), reward=-1.0
    )
