"""What the tests of whole programs share."""
from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from dad.tests.models import harness


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(params=["native", "numpy"])
def target(request: pytest.FixtureRequest) -> Iterator[str]:
    """The target of what `harness.load` loads, for the tests of one module after the other."""
    before, harness.TARGET = harness.TARGET, request.param
    yield request.param
    harness.TARGET = before
