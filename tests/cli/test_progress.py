"""Progress where there is no terminal: a line now and then, and never none."""

from guerdon.cli.progress import Bars


def lines(capsys):
    return [line.partition("] ")[2] for line in capsys.readouterr().err.splitlines()]


def test_the_first_word_and_the_last_are_always_said(capsys):
    with Bars(every=1000.0) as bars:
        for i in range(1, 101):
            bars.show("a", "", i, 100, f"success {i}%")
    assert lines(capsys) == ["a: 1 of 100 success 1%", "a: 100 of 100 success 100%"]


def test_each_name_has_lines_of_its_own(capsys):
    bars = Bars(every=1000.0)
    bars.show("a", "loading")
    bars.show("b", "loading")
    bars.end("a", "done")
    bars.end("b")
    assert lines(capsys) == ["a: loading", "b: loading", "a: done"]


def test_with_no_wait_everything_is_said(capsys):
    bars = Bars(every=0.0)
    for i in range(3):
        bars.show("a", "", i, 9)
    assert lines(capsys) == ["a: 0 of 9", "a: 1 of 9", "a: 2 of 9"]


def test_markup_in_a_name_is_text(capsys):
    Bars().show("[bold]x[/bold]", "y")
    assert lines(capsys) == ["[bold]x[/bold]: y"]
