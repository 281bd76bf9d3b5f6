"""The content words of a text as the check compares them: one word for all that say the same."""

import re

from bot.grounding.numbers import NUMBER_WORDS, with_plain_numbers
from bot.grounding.qualifiers import governed, marked, without_modality
from bot.grounding.splitting import clauses
from bot.knowledge.words import FUNCTION_WORDS, words
from bot.synonyms import meaning_stem

NOT = "xnotx"  # stands for any negation
# 不同 (other), 特别 (special), 未来 (future) and their like say nothing about "not".
_NEGATION = re.compile(
    r"\b(not|no|non|never|cannot|without|neither|nor|none|nothing|unable|except|excluded|excluding)"
    r"\b|\w+n['’]t\b|(?<!差)不(?!同(?!意)|过(?!期)|但|仅|只|管|论|错)|没|無|暂停|停止|禁止|严禁|谢绝|无(?!论|线)|未(?!来)|勿"
    r"|(?<![特分区类性级个差辨识])别(?!人|的)|除外",
    re.IGNORECASE,
)
_MANNERS = frozenset(
    "thank thanks welcome hope happy glad sorry sure course question questions further anything "
    "else hello dear kindly let know asking ask help assist "
    "感谢 谢谢 欢迎 希望 帮到 高兴 抱歉 愉快 您好 你好 "
    "其他 疑问 问题 提问 请 祝".split()
)
# Say nothing by themselves, so a draft may have them where its passage has not.
_LIGHT_WORDS = (
    "also please simply additionally addition furthermore moreover example note notes noted "
    "unfortunately instance however therefore thus hence besides instead such e.g i.e "
    "according mention mentioned mentions state stated states described describes worth "
    "important importantly specifically particularly particular especially essentially "
    "basically overall summary fact actually indeed various following follow follows "
    "followed step steps way ways thing things mind keep regarding concerning consider "
    "considered become becomes make makes making made sure ensure take takes taking taken "
    "want wish being both because although though whereas very quite well around "
    "approximately roughly through between upon via he she his her him one ones itself "
    "themselves whose whether refer refers referred known called means mean involve involves "
    "involving aspect aspects while here once when if due like based yes go goes offer "
    "offers offered offering provide provides provided providing give gives given indicate "
    "indicates view see "
    "另外 此外 同时 例如 比如 哦 呢 啊 而且 并且 以及 大概 大约 约 差不多 左右 这里 "
    "那里 知道 觉得 记得 听说 了解 据说 具体 来说 的话 有个 还有 就是 差 多 其 该 "
    "此 它 地方 时候 情况 进行 我们 咱们 哈 哟 嗯 噢 呦 吧 嘛 呀 啦 去 来 说 看 "
    "时 位 家 些 座 所 则 且 并 又 再 才 看看 位于 好像 里面 作为 对于 挺 确实 "
    "然后 时长 时间 感觉 地点 位置 具体位置 体位 玩上 就行 一点 价格 价钱 总共 一共 "
    "想 还是 刚才 不过"
)


def terms(text: str) -> list[str]:
    """Return the stems of the content words, with `NOT` for each negation."""
    plain = without_modality(with_plain_numbers(_NEGATION.sub(f" {NOT} ", text)))
    return [
        NUMBER_WORDS.get(word) or meaning_stem(word)
        for word in words(plain)
        if word not in FUNCTION_WORDS
    ]


def governed_terms(text: str) -> dict[str, set[str]]:
    """Return each term with the classes of "all", "must", "may" and their like before it."""
    plain = marked(with_plain_numbers(_NEGATION.sub(" ", text)))
    return governed(
        [
            word if "xq" in word else NUMBER_WORDS.get(word) or meaning_stem(word)
            for word in words(clause)
            if word not in FUNCTION_WORDS
        ]
        for clause in clauses(plain)
    )


LIGHT = frozenset(meaning_stem(word) for word in _LIGHT_WORDS.split())


def is_courtesy(sentence: str) -> bool:
    """Return whether a sentence only thanks, greets or offers help."""
    said = [word for word in words(sentence) if word not in FUNCTION_WORDS]
    return bool(said) and all(word in _MANNERS for word in said)
