"""A few messages of four intents, English and Chinese."""

from bot.intents.rows import Row

MESSAGES = {
    "delivery_time": """
        How long does delivery take?|When will my parcel arrive?|How many days is shipping?
        What day does the courier come?|Is it delivered this week?|How soon do you deliver?
        送货要多久|包裹什么时候到|几天能收到货|快递哪天来|这周能送到吗|发货后多久到
    """,
    "return": """
        I want to send the jacket back|How do I return an item?|Can I return worn shoes?
        Where do I get a return label?|The coat is too big, I'd like to return it|Return my order
        我想退货|怎么退回这件外套|穿过的鞋能退吗|退货单在哪里拿|衣服太大了想退掉|这单我要退
    """,
    "password": """
        I forgot my password|How can I reset my password?|The password link doesn't work
        I can't log in, wrong password|Set a new password please|Password email never came
        我忘记密码了|怎么重置密码|密码链接打不开|登录不了，密码错误|帮我换个新密码|没收到找回密码的邮件
    """,
    "invoice": """
        I need an invoice|Where can I download the invoice?|The invoice has the wrong name
        Please send me the bill as a PDF|Can I have an invoice for my company?|My invoice is missing
        我要发票|发票在哪里下载|发票抬头写错了|请把发票发我邮箱|能开公司发票吗|我的发票没有收到
    """,
}
OUTSIDE = (
    "What is the capital of Peru?",
    "Sing me a song about the moon",
    "Who won the football match yesterday?",
    "今晚月亮圆不圆",
    "帮我写一首关于春天的诗",
    "谁是最高的篮球运动员",
)


def rows() -> list[Row]:
    return [
        Row(text.strip(), (intent,))
        for intent, texts in MESSAGES.items()
        for line in texts.strip().split("\n")
        for text in line.split("|")
    ]


def texts(intent: str) -> list[str]:
    return [row.text for row in rows() if intent in row.intents]
