"""What is known of a sweep's job before it starts."""

from pathlib import Path

from atelier.compose.preflight import check_job

ROOT = Path(__file__).parents[2]


def test_keys_that_a_job_does_not_set_have_the_value_that_it_composes_to(data_dir: Path) -> None:
    swept = ["activation", "network.hidden", "network.dropout", "network.batch_norm", "scheduler", "nothing.of_that"]
    job = ["network=mlp", "network.batch_norm=true", "activation=tanh", "trainer=cpu"]
    facts = check_job(ROOT, {"DATA_DIR": str(data_dir)}, True, swept, job)
    known = facts["values"]
    assert (known["activation"], known["network.batch_norm"], known["nothing.of_that"]) == ("tanh", "true", "")
    assert known["scheduler"] == "constant"
    assert float(known["network.dropout"]) == 0.0
    assert known["network.hidden"].startswith("[")
