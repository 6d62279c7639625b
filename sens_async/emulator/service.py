"""The endpoints of the service behind the gateway, one function each.

Source: SENS API, SMS v2, the page of each endpoint. Where the pages are silent,
`EmulatorOptions` decides.
"""

from collections.abc import Callable, Mapping

import attrs

from sens_async.emulator import listing
from sens_async.emulator.admissions import Admission, Batch
from sens_async.emulator.answers import Answer, json_answer, korean_second
from sens_async.emulator.deliveries import Progress
from sens_async.emulator.options import DAY
from sens_async.emulator.reservations import described as described_reservation
from sens_async.emulator.results import DELIVERED, message_of
from sens_async.emulator.routes import Route
from sens_async.emulator.state import State, receipt, upload_receipt
from sens_async.emulator.unsubscribes import described as described_opt_out
from sens_async.emulator.unsubscribes import read_numbers

__all__ = ["WITH_BODY", "answer", "imagined"]

WITH_BODY = frozenset({"messages", "files", "add_unsubscribes", "remove_unsubscribes"})
"""Endpoints whose requests have to have a JSON body."""

NOTHING = Answer(404)
"""What the live service says where nothing is found: no body at all."""


@attrs.frozen
class Call:
    """What an endpoint is asked.

    Attributes:
        route: The ids and the query of the target.
        payload: The body's JSON, None if it has none.
        now: Seconds since the epoch.
    """

    route: Route
    payload: object
    now: float


def answer(state: State, route: Route, payload: object, now: float) -> Answer:
    """Do what a request asks for and answer it.

    Args:
        state: The service.
        route: Where the request leads.
        payload: The body's JSON, None if it has none.
        now: Seconds since the epoch.

    Raises:
        Refused: Nothing was done.
    """
    return _ENDPOINTS[route.endpoint](state, Call(route, payload, now))


def imagined(state: State, endpoint: str, now: float) -> object:
    """What success looks like for a request that was not processed; None for no body."""
    if endpoint == "files":
        return upload_receipt(state.files.imagined(now))
    if endpoint == "messages":
        return receipt(state.request_id("SMS", now), None, now)
    return [] if endpoint == "add_unsubscribes" else None


def _send(state: State, call: Call) -> Answer:
    batch = state.send(call.payload, call.now)
    return json_answer(202, receipt(batch.request_id, batch.envelope, call.now))


def _upload(state: State, call: Call) -> Answer:
    return json_answer(200, upload_receipt(state.files.upload(call.payload, call.now)))


def _list(state: State, call: Call) -> Answer:
    options = state.options
    criteria = listing.read_criteria(call.route.query, options)
    page = listing.select(criteria, state.admissions, state.deliveries, options, call.now)
    status = "success"
    if not page.rows:
        batch = state.admissions.request(criteria.request_id or "")
        waits = batch is not None and state.reservations.waits(batch, call.now)
        if waits and options.reserved_rows != "hidden":
            status = "reserved"
        elif options.empty_list == "404":
            return NOTHING
    body: dict[str, object] = {
        "statusCode": "202",
        "statusName": status,
        "messages": [_row(state, *row) for row in page.rows],
        "pageIndex": criteria.page_index,
        "pageSize": criteria.page_size,
        "itemCount": len(page.rows),
        "hasMore": page.next_token is not None,
    }
    is_repeated = options.list_request_id or options.list_fields == "2021"
    if is_repeated and criteria.request_id is not None:
        body["requestId"] = criteria.request_id
    if page.next_token is not None and options.next_token:
        body["nextToken"] = page.next_token
    return json_answer(200, body)


def _message(state: State, call: Call) -> Answer:
    found = state.admissions.message(call.route.id)
    if found is None:
        return NOTHING
    batch, position = found
    visible_at = state.deliveries.visible_at(batch)
    too_old = batch.at <= call.now - state.options.retention_days * DAY
    if too_old or visible_at is None or call.now < visible_at:
        return NOTHING
    message = batch.admission(position)
    progress = state.deliveries.progress(batch, message, call.now)
    row = _full_row(state, message, progress)
    return json_answer(200, {"statusCode": "200", "statusName": "success", "messages": [row]})


def _reservation(state: State, call: Call) -> Answer:
    try:
        reservation = state.reservations.get(call.route.id, call.now)
    except KeyError:
        return NOTHING
    return json_answer(200, described_reservation(reservation, state.options))


def _cancel(state: State, call: Call) -> Answer:
    try:
        state.reservations.cancel(call.route.id, call.now)
    except KeyError:
        return NOTHING
    return Answer(204)


def _unsubscribes(state: State, call: Call) -> Answer:
    page = state.unsubscribes.page(call.route.query)
    if not page and state.options.empty_list == "404":
        return NOTHING
    return json_answer(200, [described_opt_out(entry) for entry in page])


def _add_unsubscribes(state: State, call: Call) -> Answer:
    added = state.unsubscribes.add(read_numbers(call.payload), call.now)
    return json_answer(200, [described_opt_out(entry) for entry in added])


def _remove_unsubscribes(state: State, call: Call) -> Answer:
    state.unsubscribes.remove(read_numbers(call.payload), call.now)
    return Answer(204)


_ENDPOINTS: Mapping[str, Callable[[State, Call], Answer]] = {
    "messages": _send,
    "files": _upload,
    "list": _list,
    "message": _message,
    "reservation": _reservation,
    "cancel": _cancel,
    "unsubscribes": _unsubscribes,
    "add_unsubscribes": _add_unsubscribes,
    "remove_unsubscribes": _remove_unsubscribes,
}


def _row(state: State, _batch: Batch, message: Admission, progress: Progress) -> dict[str, object]:
    """A message as the list has it."""
    if state.options.list_fields == "2021":
        return {
            "messageId": message.message_id,
            "requestTime": korean_second(message.at),
            "from": message.sender,
            "to": message.number,
            "contentType": message.content_type,
            "countryCode": message.country_code,
        }
    return _full_row(state, message, progress)


def _full_row(state: State, message: Admission, progress: Progress) -> dict[str, object]:
    """A message with all its fields; those that have no value yet are left out."""
    row: dict[str, object] = {
        "requestId": message.request_id,
        "messageId": message.message_id,
        "requestTime": korean_second(message.at),
        "contentType": message.content_type,
        "type": message.type,
        "content": message.content,
        "countryCode": message.country_code,
        "from": message.sender,
        "to": message.number,
        "status": progress.status,
    }
    if message.subject is not None:
        row["subject"] = message.subject
    if message.file_ids:
        row["files"] = [
            {"fileId": file_id, "name": state.files.name_of(file_id)}
            for file_id in message.file_ids
        ]
    if progress.code is not None and progress.completed_at is not None:
        row["statusCode"] = progress.code
        row["statusName"] = "success" if progress.code == DELIVERED else "fail"
        row["statusMessage"] = message_of(progress.code)
        row["completeTime"] = korean_second(progress.completed_at)
        row["telcoCode"] = progress.telco
    return row
