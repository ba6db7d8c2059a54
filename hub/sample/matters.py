"""What the sample's customers write about. A line begins with who says it: ``c`` the customer, ``a`` somebody of the firm,
``n`` an internal note; the places in braces are filled differently each time.
"""

from __future__ import annotations

from msgspec import Struct


class Matter(Struct, frozen=True):
    """One matter: its subject, tags, and what is said, in turns."""

    subject: str
    tags: tuple[str, ...]
    turns: tuple[tuple[str, str], ...]


def _matter(subject: str, tags: str, turns: str) -> Matter:
    lines = [line.strip() for line in turns.strip().splitlines()]
    said = tuple((line[0], line[2:].strip()) for line in lines)
    return Matter(subject, tuple(t for t in tags.split(",") if t), said)


GERMAN = (
    _matter("Wechselrichter zeigt Fehler {fault}", "Wechselrichter,Garantie", """
        c Guten Tag, seit heute Morgen meldet unser Wechselrichter den Fehler {fault}. Muss ich etwas ausschalten?
        a Guten Tag, bitte nichts ausschalten. Der Fehler {fault} deutet auf einen Stecker hin, wir schauen aus der Ferne nach.
        n @Jonas Meier in der Anlage sieht man den Ausfall eines Strings. Bitte einen Termin bei Tobias eintragen.
        c Danke! Wann kann jemand kommen? Ich bin {day} ab 14 Uhr zu Hause.
        a {day} um 14:30 Uhr kommt Tobias Krüger zu Ihnen. Er ruft eine halbe Stunde vorher an.
        c Perfekt, bis dahin.
    """),
    _matter("Wallbox: 11 oder 22 kW?", "Wallbox", """
        c Moin, reicht für unseren Hausanschluss eine Wallbox mit 11 kW, oder lohnt sich eine mit 22?
        a Moin! Für einen Hausanschluss mit 63 A reicht die mit 11 kW fast immer, und sie ist beim Netzbetreiber nur anzumelden.
        c Und was kostet das mit Einbau?
        a Mit Einbau, Absicherung und Anmeldung liegen Sie bei etwa {price} €. Ein Angebot schicken wir heute noch.
    """),
    _matter("Foto vom Zählerschrank", "Montage", """
        c Hier die Maße vom Zählerschrank: 80 × 105 cm, zwei Felder sind frei. Passt der neue Zähler noch hinein?
        a Vielen Dank, das reicht uns so. Der Zähler passt, ein Umbau ist nicht nötig.
    """),
    _matter("Beratung in der Ausstellung", "Speicher", """
        c Wir hätten gern eine Beratung zum Speicher mit {kwh} kWh. Geht {day} um elf?
        n Die Familie hat schon {kwp} kWp auf dem Dach, bitte das Lastprofil vorher ansehen.
        a Gern, {day} um 11 Uhr ist frei. Bringen Sie bitte die letzte Jahresabrechnung mit.
        c Machen wir, danke.
    """),
    _matter("AW: Wartungsvertrag 2026", "Wartung", """
        c Sehr geehrte Damen und Herren, können wir den Wartungstermin auf die zweite Dezemberwoche legen? Vorher ist bei uns Inventur.
        a Guten Tag, das ist kein Problem. Wir haben Sie für {day}, 8 bis 10 Uhr, vorgemerkt.
        c Bestätigt. Bitte beim Pförtner anmelden, das Tor ist ab sieben offen.
    """),
    _matter("Frage zur Einspeisevergütung", "Vergütung", """
        c Gibt es das Modul auch in Schwarz, und was ändert sich dann an der Vergütung?
        a Das Modul gibt es in Schwarz, der Ertrag ist etwa 2 % geringer. Die Vergütung je kWh bleibt gleich.
        c Gut zu wissen. Dann nehmen wir die schwarzen.
    """),
    _matter("Rechnung {invoice}: falsche Adresse", "Rechnung", """
        c Auf der Rechnung {invoice} steht noch unsere alte Anschrift. Können Sie sie bitte neu ausstellen?
        a Entschuldigen Sie bitte. Die berichtigte Rechnung ist unterwegs, die Zahlungsfrist beginnt neu.
        c Angekommen, vielen Dank.
    """),
    _matter("Netzanschluss PV-{plant} freigegeben", "Netzanschluss", """
        c Die Anschlussprüfung für die Anlage PV-{plant} ist abgeschlossen. Den Zähler setzen wir in der Kalenderwoche {week}.
        n Termin an die Montage weitergegeben.
        a Vielen Dank für die schnelle Prüfung. Unser Monteur ist dann vor Ort.
    """),
    _matter("Dach neu decken: Module abnehmen?", "Montage", """
        c Unser Dach muss nächstes Frühjahr neu gedeckt werden. Nehmen Sie die {count} Module ab und setzen sie wieder auf?
        a Ja, das machen wir. Rechnen Sie mit zwei Tagen je Richtung; ein Angebot bekommen Sie diese Woche.
        c Prima. Der Dachdecker heißt Claußen, er meldet sich bei Ihnen.
        n Claußen angerufen: Er fängt nicht vor April an.
    """),
    _matter("App zeigt seit gestern nichts an", "App", """
        c Die App zeigt seit gestern keine Werte mehr, der Wechselrichter läuft aber. Liegt das an meinem neuen Router?
        a Sehr wahrscheinlich. In der App unter „Geräte“ das WLAN neu wählen, dann kommen die Werte innerhalb von 15 Minuten nach.
        c Hat geklappt, die Werte sind alle wieder da!
    """),
    _matter("Speicher lädt nicht voll", "Speicher,Garantie", """
        c Der Speicher bleibt bei {percent} % stehen, auch bei Sonne. Ist das normal?
        a Einmal im Monat hält er bei diesem Stand für einen Abgleich an. Bleibt er länger dort, melden Sie sich bitte noch einmal.
        c Heute ist der dritte Tag, es bleibt bei {percent} %.
        n Hersteller gefragt, Vorgang dort {plant}. @Elif Yılmaz bitte morgen nachfassen.
    """),
    _matter("Angebot {invoice} verlängern?", "Angebot", """
        c Ihr Angebot {invoice} läuft morgen ab. Meine Frau ist noch verreist, können wir es um zwei Wochen verlängern?
        a Selbstverständlich, es gilt nun bis zum Monatsende.
        c Vielen Dank, wir melden uns.
    """),
    _matter("Reinigung der Module", "Wartung", """
        c Lohnt sich bei uns eine Reinigung? Auf dem Nachbarfeld wird gerade gedroschen.
        a Der nächste kräftige Regen nimmt das meiste mit. Fällt der Ertrag um mehr als 5 %, kommen wir gern vorbei.
    """),
    _matter("Balkonkraftwerk anmelden", "Netzanschluss", """
        c Muss ich mein Balkonkraftwerk mit 800 W noch beim Netzbetreiber anmelden?
        a Nein, der Eintrag im Marktstammdatenregister genügt. Wenn Sie mögen, machen wir das zusammen am Telefon.
        c Habe ich gerade gemacht, war in fünf Minuten erledigt.
    """),
    _matter("Rückruf erbeten", "Rückruf", """
        c Anrufbeantworter, 0:38: „Guten Tag, ich bitte um Rückruf wegen der Lieferung der {count} Module. Ab 16 Uhr bin ich da.“
        n Um 16:10 Uhr niemanden erreicht, versuche es morgen wieder.
        a Guten Tag, wir haben Sie heute nicht erreicht. Die Module kommen {day} zwischen 8 und 12 Uhr.
    """),
    _matter("Besuch in der Ausstellung", "Beratung", """
        c Besuch, 10:05 bis 10:50: möchte eine Anlage mit {kwp} kWp und Notstrom, Dach nach Südwest, fragt nach einem Termin vor Ort.
        a Vielen Dank für Ihren Besuch. Zum Aufmaß kommen wir {day} um 9 Uhr, das Angebot folgt drei Tage später.
        c Der Termin passt uns gut.
    """),
    _matter("Wärmepumpe mit Solarstrom betreiben", "Beratung", """
        c Wir bekommen im Januar eine Wärmepumpe. Reichen unsere {kwp} kWp dafür?
        a Im Sommer ja, im Winter deckt die Anlage etwa ein Viertel. Mit einem Speicher ({kwh} kWh) wird es mehr. Sollen wir rechnen?
        c Bitte rechnen Sie es durch, der Jahresverbrauch liegt bei 4.200 kWh.
    """),
    _matter("Kündigung der Fernüberwachung", "Vertrag", """
        c Hiermit kündige ich die Fernüberwachung zum nächstmöglichen Zeitpunkt. Bitte bestätigen Sie den Eingang.
        n Hat im Sommer zweimal lange auf Antwort gewartet. @Anna Becker magst du anrufen?
        a Guten Tag, wir bestätigen den Eingang, der Vertrag endet zum 31. Dezember. Dürfen wir fragen, was Ihnen gefehlt hat?
        c Ehrlich gesagt: eine schnellere Antwort. Sonst war alles gut.
    """),
)  # fmt: skip

ENGLISH = (
    _matter("Invoice {invoice} doesn’t match the offer", "Billing", """
        c Hi, the offer said 9.8 kWp, the invoice {invoice} lists 10.4. Could you check, please?
        a Hello, you are right, two modules were counted twice. A corrected invoice is on its way.
        c Got it, thank you for the quick fix.
    """),
    _matter("Technician tomorrow 8–10", "Installation", """
        c Yes, that works. Please call ten minutes before you arrive, the bell is broken.
        a Noted, Tobias will call you. See you tomorrow.
    """),
    _matter("Inverter fan is loud", "Inverter,Warranty", """
        c The inverter fan has been rattling since {day}. Is it safe to keep it running?
        a It is safe. The fan is covered by the warranty; we have ordered a new one and will fit it next week.
        n Part ordered, number {plant}. @Anna Becker please book the visit when it arrives.
        c Great, any day after 3 pm is fine.
    """),
    _matter("Can I charge my car from the battery?", "Wallbox", """
        c Can I charge my car from the {kwh} kWh battery overnight, or only while the sun shines?
        a Both work. Set the wallbox to “battery allowed” and keep at least 20 % for the house.
        c Perfect, thank you. That solves it.
    """),
    _matter("Quote for {kwp} kWp in Stade", "Offer", """
        c We are moving to Stade in spring and would like a quote for about {kwp} kWp on a south-west roof.
        a Welcome! Could you send us the roof’s length and pitch? Then you will have the quote within three days.
        c 11 by 6 metres, 35 degrees. No shade except a chimney.
        a Thank you. {count} modules fit; the quote comes to about {price} €.
    """),
    _matter("App asks for a password", "App", """
        c After the update the app asks for an installer password. I never had one.
        a Choose “owner” on the first page, then your own e-mail address. The installer password stays with us.
        c Ah, found it. Works.
    """),
    _matter("Meter reading for November", "Billing", """
        c The meter shows {plant}. Do you need a photo as well?
        a The number is enough, thank you.
    """),
    _matter("Panels after the storm", "Installation", """
        c After last night’s storm one panel seems to sit a bit higher than the others. Could somebody have a look?
        a Please stay off the roof. We will come {day} with a drone; it takes ten minutes and costs nothing.
        n Neighbour of #{week}00 has the same, combine the visits.
        c Much appreciated!
    """),
    _matter("Moving house: what happens to the contract?", "Contract", """
        c We are selling the house in February. Can the new owners take over the monitoring contract?
        a They can. We only need their names and the date; the warranty moves with the house anyway.
        c Will send that once the notary is done.
    """),
    _matter("Please call me back", "Call back", """
        c Voicemail, 0:52: “Hello, this is about the delivery date of the {kwh} kWh battery. Please call me back after five.”
        a Hello, we could not reach you just now. The battery arrives {day}; we will fit it the day after.
    """),
)  # fmt: skip

#: What fills the places; the sample picks one of each for every conversation.
DAYS = {
    "de": ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
}
#: What customers add later, and what colleagues answer, while the sample runs.
AGAIN = {
    "de": (
        "Vielen Dank für die schnelle Antwort!",
        "Alles klar. Soll ich vorher noch etwas vorbereiten?",
        "Danke! Eine Frage noch: Gilt das auch am Wochenende?",
        "Das hat geholfen, vielen Dank.",
    ),
    "en": (
        "Perfect, thank you. That solves it.",
        "Thanks! Is there anything I should prepare?",
        "Great. One more question: does that hold on weekends too?",
        "That helped, thank you.",
    ),
}
ANSWERS = {
    "de": (
        "Guten Tag, vielen Dank für Ihre Nachricht. Wir sehen uns das gleich an und melden uns heute noch.",
        "Gern. Wir haben das für Sie eingetragen; Sie bekommen gleich eine Bestätigung.",
        "Vielen Dank für die Geduld. Es ist alles vorbereitet, der Termin bleibt, wie besprochen.",
    ),
    "en": (
        "Hello, thank you for writing. We are looking into it and will come back to you today.",
        "Of course. We have noted it down; a confirmation is on its way.",
        "Thank you for your patience. Everything is ready, the appointment stays as agreed.",
    ),
}
NOTES = (
    "Angerufen, niemanden erreicht. Versuche es nach dem Mittag wieder.",
    "Bitte zuerst den Zählerstand prüfen, dann den Termin machen.",
    "Checked the plant remotely: all strings are fine.",
)
REPLIES = (
    ("Termin bestätigen", "termin", "de", "Guten Tag {{customer.first_name}},\n\nder Termin ist für Sie vorgemerkt. Passt er doch nicht, "
     "antworten Sie einfach auf diese Nachricht.\n\nFreundliche Grüße\n{{agent.name}}"),
    ("Fehlercode: erste Hilfe", "fehler", "de", "Bitte schalten Sie nichts aus. Nennen Sie uns den Code in der Anzeige und seit wann er "
     "erscheint; wir sehen aus der Ferne nach."),
    ("We are on it", "onit", "en", "Hello {{customer.first_name}},\n\nwe are looking into it and will come back to you today.\n\n"
     "Best regards\n{{agent.name}}"),
)  # fmt: skip
