"""Look reservations up, and cancel them."""

from collections.abc import Callable

from sens_async.core.answers import read_cancellation, reads_reservation
from sens_async.core.requests import Service, of_reservation
from sens_async.dispatch import Dispatcher
from sens_async.errors import NotFound, ReservationNotCancellable, SensError
from sens_async.models import Reservation, ReservationStatus

__all__ = ["Reservations"]


class Reservations:
    """What was sent with `reserve_at`; `SensSession.reservations`.

    A reservation's id is the request id of its receipt. It covers all recipients of its request:
    a run's report names one id for each of up to 100.

    Args:
        dispatcher: The session's.
        service: Whose.
        check: Called before each question; raises where the session cannot be used.
    """

    def __init__(
        self, dispatcher: Dispatcher, service: Service, *, check: Callable[[], None]
    ) -> None:
        self._dispatcher = dispatcher
        self._service = service
        self._check = check

    async def get(self, reserve_id: str) -> Reservation:
        """Say where a reservation is.

        Raises:
            InvalidQuery: The id is empty or no str.
            NotFound: The service knows no reservation of this id.
            SensError: It could not be read.
        """
        request = of_reservation(self._service, reserve_id)
        self._check()
        return await self._dispatcher.ask(request, reads_reservation(reserve_id))

    async def cancel(self, reserve_id: str) -> None:
        """Cancel a reservation that still waits: none of its recipients gets the message.

        Safe to repeat, also after an error that leaves open whether it was done: what the service
        refuses is looked up, and a reservation that is cancelled already is as it should be.

        Raises:
            InvalidQuery: The id is empty or no str.
            NotFound: The service knows no reservation of this id.
            ReservationNotCancellable: It does not wait any more; `state` says what it does.
            SensError: It may or may not be cancelled; ask again.
        """
        request = of_reservation(self._service, reserve_id, cancels=True)
        self._check()
        refusal = (await self._dispatcher.ask(request, read_cancellation)).refusal
        if refusal is None:
            return
        # With which status it refuses is not documented: where the reservation is says more.
        try:
            found = await self.get(reserve_id)
        except NotFound:
            raise
        except SensError as error:
            raise refusal from error
        if found.status is ReservationStatus.CANCELED:
            return
        if found.is_cancellable:
            raise refusal
        raise ReservationNotCancellable(
            f"the reservation is {found.status}; only a READY one can be cancelled",
            state=str(found.status),
            status=refusal.status,
            code=refusal.code,
            body_excerpt=refusal.body_excerpt,
        )

    def __repr__(self) -> str:
        return f"<Reservations of {self._service.service_id}>"
