"""Which language a text is in, told by its small words. Rather unknown than wrong.

Of the small libraries for this one gives another answer each time, the others carry models of megabytes to tell ninety languages apart;
customers' messages are too short for either, and what hangs on it (hyphenation, a reader's voice, which saved reply stands first)
is only needed where it is sure.
"""

from __future__ import annotations

import re

#: Small words by language: frequent, and rarely words of another one of these.
_WORDS = {
    "de": "aber als am auch auf aus bei bin bis bist bitte da das dass dein dem den der des die dies diese dir doch du ein eine"
    " einem einen einer er es euch für gibt guten haben habe hallo hast hat hätte ich ihr ihre ihnen im in ist ja kann kein"
    " keine können leider mal mein meine meiner mich mir mit möchte muss nach nicht noch nur oder schon sehr sein seit sich"
    " sie sind über um und uns vom von vor wann war warum was weil welche wenn wer werden wie wieder wir wird wo würde zu"
    " zum zur danke grüße",
    "en": "a an and any are as at be been but by can could did do does for from get had has have hello her his how i if in into"
    " is it its just me my not of on or our out please she should so some that the their them there they this to us was we"
    " were what when where which who why will with would you your thanks yes don't i'm it's",
    "fr": "au aux avec ce cette comme dans de des du elle est et êtes il ils je la le les leur mais merci mes mon ne nous on ou"
    " où par pas plus pour pourquoi que qui sa sans ses son sont suis sur très un une vos votre vous bonjour j'ai c'est",
    "es": "al como con cuando de del desde donde el ella en es esta este gracias hay hola la las lo los mas me mi muy no nos para"
    " pero por porque que qué se si sin sobre su sus también te tengo un una usted y ya yo está",
    "it": "al alla anche che chi ci come con cosa da dal del della di dove e è gli grazie ha ho i il in io la le lo ma mi mia mio"
    " nel nella non per perché più quando questo questa se sono su un una vi ciao buongiorno",
    "nl": "aan al als bij dan dat de deze die dit door een en er geen graag had heb hebben heeft het hoe ik in is je kan maar me"
    " met mij mijn naar niet nog of om onder ons ook op over te tot u uw van veel voor waar wat we wel wij worden zijn zou"
    " dank",
    "pl": "ale bardzo być był co czy dla do dzień dobry go gdzie i ich ja jak jako jest jestem już ma mam mi mnie moje może na"
    " nie o od po proszę przed przez się są ta tak tego ten to tylko w z za że dziękuję",
    "pt": "a ao aos as com como da das de do dos e ela ele em está eu já mais mas me meu minha muito na não nas no nos o obrigado"
    " obrigada olá os ou para pela pelo por quando que se seu sua são um uma você também",
    "tr": "ama bana ben bir bu çok da daha de değil diye en gibi için ile istiyorum kadar merhaba mi mı ne nasıl olarak olan sen"
    " siz teşekkürler var ve veya ya yok",
    "ru": "а без был вы в да для до если есть здравствуйте и из или к как когда мне моя мой мы на не но о от по пожалуйста почему"
    " при с спасибо так то у уже что это я",
    "uk": "або але без був в ви від до для з за і й його коли ми мені моє мій на не ні по про се та так те у цe це що я як є"
    " дякую",
}
_KNOWN: dict[str, tuple[str, ...]] = {}
for _language, _listed in _WORDS.items():
    for _word in _listed.split():
        _KNOWN[_word] = (*_KNOWN.get(_word, ()), _language)
LANGUAGES = tuple(_WORDS)

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
#: Characters and words that are looked at, and the share of small words that a text of a language has at least.
_MOST, _LOOKED_AT, _SHARE = 3000, 200, 0.15


def detect(text: str) -> str:
    """The language (de, en …); "" when it is not sure."""
    words = _WORD.findall(text[:_MOST].lower().replace("’", "'"))[:_LOOKED_AT]
    scores: dict[str, float] = {}
    for word in words:
        known = _KNOWN.get(word, ())
        for language in known:
            scores[language] = scores.get(language, 0) + 1 / len(known)
    if not scores:
        return ""
    best, second = (*sorted(scores.items(), key=lambda pair: -pair[1]), ("", 0.0))[:2]
    sure = best[1] >= max(1.5, _SHARE * len(words)) and best[1] >= 1.4 * second[1]
    return best[0] if sure else ""


def spoken(text: str, declared: str = "") -> str:
    """The language of a text that says of itself which it is: what it is written in counts more than how its program is set up."""
    found = detect(text)
    return found if found and found != declared.lower().replace("_", "-").partition("-")[0] else declared
