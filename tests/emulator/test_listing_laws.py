"""What is passed over to be fast is what would not have matched."""

import random
from urllib.parse import quote, urlencode

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import EPOCH

from sens_async.emulator import EmulatorOptions, service
from sens_async.emulator.routes import find_route
from sens_async.emulator.state import State

ALL = {"requestStartTime": "2025-11-25 00:00:00", "requestEndTime": "2025-11-26 00:00:00"}
NUMBERS = ["01000000001", "01000000002", "01019003001", "01019990100", "01019999999", "123"]
FILTERS = {
    "type": ["SMS", "LMS"],
    "contentType": ["COMM", "AD"],
    "to": NUMBERS,
    "status": ["READY", "PROCESSING", "COMPLETED"],
    "statusName": ["success", "fail"],
}


def rows(state, now, query):
    """All pages of a query."""
    found = []
    while True:
        target = "/sms/v2/services/s/messages?" + urlencode(query, quote_via=quote)
        answer = service.answer(state, find_route("GET", target), None, now)
        if answer.status == 404:
            return found
        body = orjson.loads(answer.body)
        assert 0 < body["itemCount"] == len(body["messages"]) <= 3
        found += body["messages"]
        if not body["hasMore"]:
            return found
        query = {**query, "nextToken": body["nextToken"]}


def filled(luck, **options):
    state = State(sender="0200000000", options=EmulatorOptions(**options))
    state.deliveries.results["01000000002"] = luck.choice(["0", "2003"])
    for _ in range(luck.randrange(12)):
        body = {
            "type": luck.choice(["SMS", "LMS"]),
            "contentType": luck.choice(["COMM", "AD"]),
            "from": "0200000000",
            "content": luck.choice(["안녕", "🎉"]),
            "messages": [{"to": number} for number in luck.sample(NUMBERS, 3)],
        }
        if luck.random() < 0.3:
            body["reserveTime"] = "2025-11-25 10:00"
        state.send(body, EPOCH + luck.uniform(-200, 200))  # the clock may go back
    state.unsubscribes.add(["01000000001"], EPOCH + luck.uniform(-200, 200))
    return state


@given(
    seed=st.integers(0, 10**9),
    order=st.sampled_from(["oldest", "newest"]),
    filters=st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(values) for name, values in FILTERS.items()}
    ),
)
@settings(max_examples=60, deadline=None)
def test_a_filter_finds_what_it_would_find_in_the_whole_list(seed, order, filters):
    luck = random.Random(seed)
    spans = {"processing_delay": (0, 30), "completion_delay": (10, 200), "visibility_delay": (0, 9)}
    state = filled(luck, list_order=order, **spans)
    now = EPOCH + luck.choice([100, 300, 1500, 20_000])
    whole = rows(state, now, {**ALL, "pageSize": "3"})
    found = rows(state, now, {**ALL, "pageSize": "3", **filters})
    first = f"2025-11-25 09:4{luck.randrange(6)}:00"
    window = {"completeStartTime": first, "completeEndTime": "2025-11-25 10:00:30"}
    completed = rows(state, now, {**window, "pageSize": "3"})

    assert len({row["messageId"] for row in whole}) == len(whole)
    assert found == [
        row for row in whole if all(row.get(name) == value for name, value in filters.items())
    ]
    assert completed == [
        row for row in whole if first <= row.get("completeTime", "") <= "2025-11-25 10:00:30"
    ]
