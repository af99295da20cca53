"""`guerdon bench credit`, as a user and a program read it."""

import json

import pytest
import typer

from guerdon import store
from guerdon.cli.credit import budget_of, listed

TINY = ["--recipes", "rloo", "--worlds", "submit", "--most", "2^7", "--at-once", "1"]


def test_it_prints_the_table_and_where_the_page_is(cli, tmp_path):
    said = cli("bench", "credit", "--out", str(tmp_path / "o"), *TINY)
    assert said.code == 0, said.err
    assert [line.split()[0] for line in said.out.splitlines()[1:4]] == ["exact", "rloo", "grpo"] or "rloo" in said.out
    assert str(tmp_path / "o" / "report.html") in said.out and (tmp_path / "o" / "report.html").exists()
    assert "submit-late: measured, " in said.err
    results = store.read_json(tmp_path / "o" / "results.json")
    assert results["command"].startswith("guerdon bench credit --out") and results["most"] == 128.0
    again = cli("bench", "credit", "--out", str(tmp_path / "o"), *TINY, "--json")
    assert json.loads(again.out)["rows"] == results["rows"]
    other = cli("bench", "credit", "--out", str(tmp_path / "o"), *TINY, "--seed", "1")
    assert other.code == 2 and "give another --out" in other.err and "Traceback" not in other.err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--recipes", "gigpoo"], "did you mean 'gigpo'"), (["--worlds", "nowhere"], "the names are keydoor"),
        (["--most", "2^21"], "from 1 to 2^20"), (["--batches", "10"], "64"),
    ],
)  # fmt: skip
def test_wrong_usage_is_a_sentence(cli, tmp_path, more, said):
    found = cli("bench", "credit", "--out", str(tmp_path / "o"), *more)
    assert found.code == 2 and said in " ".join(found.err.split()) and "Traceback" not in found.err


def test_budgets_and_lists_are_read():
    assert budget_of("2^20") == 2.0**20 and budget_of("1e3") == 1000.0 and listed(" a, b ,") == ["a", "b"]
    for wrong in ("many", "2^x", "0", "nan", "2^999999"):
        with pytest.raises(typer.BadParameter, match="2\\^16"):
            budget_of(wrong)
