"""Whether a message is English, which an encoder for English alone can read."""

import re

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_ENGLISH = frozenset(
    """
    a about after am an and any are at be been before but by can can't could did didn't do does
    doesn't don't for from get give got had has have haven't he her how i i'd i'll i'm i've if in is
    isn't it it's its just know let like make me more much my need no not of off on only or other
    our out please put set she should show so some still tell than thank thanks that the their them
    then there they this to too try up us use want was way we what what's when where which who why
    will with won't would wouldn't you your
    """.split()
)
# Of the commonest words of German, Dutch, French, Spanish, Italian, Portuguese, the Nordic
# languages, Polish, Turkish and Indonesian, those that are no English ones.
_OTHER = (
    frozenset(
        """
    aber auf aus bei bin bitte das dass dem den der dich dies du ein eine einen es für habe hat ich
    ihr ist kann kein keine mein meine mich mir mit nicht noch oder sich sie sind und von wann warum
    wenn werden wie wir wird wo zu zum zur het een ik niet van voor dat de ja je kan mijn naar
    waarom wat zijn au avec ce cette comment dans des du elle en est et il je la le les ma mais
    mes moi mon ne nous pas peux pour pourquoi que qui sur un une vous al como con cómo del donde el
    ella es está esta este hay las lo los mi muy no por porque puedo qué se sin su tengo una y che
    chi ci come cosa da della di dove ho mia mio non per perché più posso quando sono ti um uma não
    meu minha você são com eu para att det ett för har hur inte jag kan med mitt och på som till vad
    är af jeg ikke hvordan og på til czy jak jest mam mnie mój moja nie się w z ben bir bu için
    kart kartım mı nasıl ne neden ve apa dan ini saya tidak untuk yang
    """.split()
    )
    - _ENGLISH
)


def is_english(text: str) -> bool:
    """Tell by letters and by common words; a few words that are in no list count as English."""
    letters = [character for character in text if character.isalpha()]
    if not letters or sum(not character.isascii() for character in letters) * 20 > len(letters):
        return False
    words = [word.replace("’", "'") for word in _WORD.findall(text.lower())]
    other = sum(word in _OTHER for word in words)
    return other == 0 or sum(word in _ENGLISH for word in words) > other
