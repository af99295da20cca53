"""`guerdon bench` lists what can be measured."""


def test_the_commands_are_listed(cli):
    said = cli("bench", "--help")
    assert said.code == 0 and "credit" in said.out and "claim" in said.out
