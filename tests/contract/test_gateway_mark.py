"""The header that says that a Gateway has split a request, and the one that names a variant: the same on both sides."""

from mlneuron_operator.desired import route
from mlneuron_runtime.traffic.subject import PIN_HEADER
from mlneuron_runtime.transport.forwarding import GIVEN


def test_the_route_sets_what_the_pods_look_for() -> None:
    assert route.GIVEN.lower().encode() == GIVEN
    assert route.NAMED == PIN_HEADER
