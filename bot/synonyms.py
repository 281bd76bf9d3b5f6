"""Words that say the same in a company's help, so that a true paraphrase is known as one.

Only words that can stand for one another in every such sentence: "shipped" and "delivered" can't (a
parcel that is shipped in two days arrives later), nor can "phone" and "e-mail".
"""

from functools import lru_cache

from bot.knowledge.words import stem

_GROUPS = """
cost price fee
extra additional
problem issue trouble
buy purchase
item product article goods
refund reimburse repay
reply respond response
begin start
end finish
allow permit
need require
customer client shopper
phone telephone
email e-mail
shop store
photo picture image
choose select pick
change modify alter
quick fast
help assist assistance
offer provide
include contain
whole entire
show display
delete remove erase
find locate
fix repair mend
wrong incorrect
enter type
click press tap
website site
about approximately roughly
pay payment
deliver delivery
ship shipment
compare comparison
register registration
subscribe subscription
describe description
verify verification check confirm
notify notification
fail failure
publish publication
minimal minimum
maximal maximum
identify identification
mainly mostly chiefly primarily
execute run perform
specify define
reach contact
originate descend
prevail win
keep retain
购买 买 选购
门票 票价 门票价格 门票费
周边 附近 旁边 边上
营业时间 开放时间
营业 开放
商品 产品 物品 货品
价格 价钱
包裹 快件
发货 寄出 发出
退款 退钱
需要 须 需 必须
照片 图片 相片
选择 挑选
更改 修改 变更 改
点击 点按
网站 官网
顾客 客户 用户
大约 大概 约 差不多 左右
游玩 玩 游览
"""
_FIRST = {
    stem(word): stem(group.split()[0])
    for group in _GROUPS.strip().splitlines()
    for word in group.split()
}


@lru_cache(maxsize=100_000)
def meaning_stem(word: str) -> str:
    """Return the stem of a word, the same for all words of a group."""
    found = stem(word)
    return _FIRST.get(found, found)
