"""Names made from a content stay the same from release to release: a later run finds earlier resources by them."""

from optimizer.model.fingerprint import fingerprint


def test_it_is_the_same_for_the_same_content_and_no_other() -> None:
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1}) == "ae8a9a505246"
    assert fingerprint({"a": 1, "b": [2]}, 4) == "ae8a"
    assert fingerprint({"a": 1, "b": [3]}) != "ae8a9a505246"
