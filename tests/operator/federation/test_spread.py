"""A thousand neurons speak evenly, not in bursts."""

from .world import World, facts


async def test_a_thousand_neurons_are_heard_every_minute_and_spread_over_it(world: World) -> None:
    world.put(*(facts(name=f"neuron-{i}") for i in range(1000)))
    await world.run(100)
    begun = world.time.wall()
    await world.run(60)
    heard = [(at, neuron) for at, neuron in world.core.heard if at >= begun]
    assert len(heard) == len({neuron for _, neuron in heard}) == 1000
    a_second = [sum(1 for at, _ in heard if at == second) for second in {at for at, _ in heard}]
    assert max(a_second) <= 35
    assert len(a_second) == 60


async def test_a_new_leader_does_not_burst_either(world: World) -> None:
    world.put(*(facts(name=f"neuron-{i}") for i in range(1000)))
    await world.run(5)
    await world.start()
    begun = world.time.wall()
    await world.run(60)
    heard = [at for at, _ in world.core.heard if at >= begun]
    assert max(heard.count(at) for at in set(heard)) <= 35


async def test_registering_many_at_once_is_bounded_by_the_number_of_open_calls(world: World) -> None:
    world.put(*(facts(name=f"neuron-{i}") for i in range(300)))
    await world.step()
    assert len(world.core.rows) == 300
    assert world.core.most_at_once <= world.pace.concurrency
