"""A job's process is forked from a server, which may die."""

from typing import Any

from atelier.sweeps.process import start_process


def test_a_fork_server_that_dies_as_a_job_starts_is_started_again() -> None:
    class Dies:
        """A context whose first process does not start."""

        started = 0

        def Process(self, target: Any, args: Any) -> Any:
            return self

        def start(self) -> None:
            self.started += 1
            if self.started == 1:
                raise EOFError

    context = Dies()
    assert start_process(context, print, ()) is context  # type: ignore[comparison-overlap]
    assert context.started == 2
