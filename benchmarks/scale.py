"""How much of everything is measured: fully, or just enough to see that it works."""

import attrs

__all__ = ["FULL", "QUICK", "Scale"]


@attrs.frozen(kw_only=True)
class Scale:
    """The sizes of a run.

    Attributes:
        rounds: Turns that each client gets; medians are taken over them.
        cell_seconds: How long a client that nothing but CPU holds up is measured.
        trips: Round trips that a client is measured for where there is latency. Its first ones
            open connections and try the service out, so there must be many.
        recipients: Of a run without latency.
        rates: Requests per second that limiters are held to.
        limiter_rounds: How often ours is.
        limiter_seconds: How long, after a first second.
        waiters: How many wait on one limiter at a time.
        wait_seconds: How long they are watched.
        sends: Single sends in a row, each beside a bare request.
        idle_sends: Single sends while nothing else goes on, at the pace of `busy_sends`.
        busy_sends: Single sends while a run holds the queue.
        busy_recipients: Of that run.
        lingering_sends: Single sends at once.
        memory_sizes: Recipients of the runs whose memory is measured.
        paced_seconds: How long a run at 100 requests per second goes on.
        paced_rounds: How often it does, and bare aiohttp at that pace.
        starts: Processes started for each thing that is imported.
        campaign_recipients: Of a campaign.
        campaign_rounds: How often one is planned and run at each latency.
    """

    rounds: int
    cell_seconds: float
    trips: int
    recipients: int
    rates: tuple[int, ...]
    limiter_rounds: int
    limiter_seconds: float
    waiters: int
    wait_seconds: float
    sends: int
    idle_sends: int
    busy_sends: int
    busy_recipients: int
    lingering_sends: int
    memory_sizes: tuple[int, ...]
    paced_seconds: float
    paced_rounds: int
    starts: int
    campaign_recipients: int
    campaign_rounds: int


FULL = Scale(
    rounds=7,
    cell_seconds=0.4,
    trips=60,
    recipients=20_000,
    rates=(10, 100, 1_000, 5_000),
    limiter_rounds=3,
    limiter_seconds=3.0,
    waiters=10_000,
    wait_seconds=3.0,
    sends=300,
    idle_sends=300,
    busy_sends=400,
    busy_recipients=100_000,
    lingering_sends=1_000,
    memory_sizes=(10_000, 100_000, 1_000_000),
    paced_seconds=3.0,
    paced_rounds=3,
    starts=11,
    campaign_recipients=1_000_000,
    campaign_rounds=3,
)

QUICK = Scale(
    rounds=2,
    cell_seconds=0.02,
    trips=2,
    recipients=2_000,
    rates=(100, 1_000),
    limiter_rounds=1,
    limiter_seconds=1.5,
    waiters=1_000,
    wait_seconds=0.5,
    sends=50,
    idle_sends=30,
    busy_sends=30,
    busy_recipients=20_000,
    lingering_sends=200,
    memory_sizes=(10_000, 20_000),
    paced_seconds=0.5,
    paced_rounds=1,
    starts=2,
    campaign_recipients=20_000,
    campaign_rounds=1,
)
