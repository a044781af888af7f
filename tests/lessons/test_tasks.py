"""One test per task, with the mark of its id: pytest --impl=starter -m vae_1."""

import pytest

from starter.support.checks import Wrong, check, facts


@pytest.mark.parametrize("task", [pytest.param(t, marks=getattr(pytest.mark, t.replace("-", "_"))) for t in facts()])
def test_task(task):
    try:
        check(task)
    except Wrong as wrong:
        pytest.fail(str(wrong), pytrace=False)
