"""The order of names."""

from hub.text import by_name


def test_names_stand_as_in_a_german_dictionary() -> None:
    names = ["Zoë", "Öztürk", "Oz", "ärger", "Anna", "Strauß", "Strauss", "strass", "Ä"]

    assert sorted(names, key=by_name) == ["Ä", "Anna", "ärger", "Oz", "Öztürk", "strass", "Strauss", "Strauß", "Zoë"]
