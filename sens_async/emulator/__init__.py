"""SENS on loopback, for tests and development.

    async with Emulator() as emulator:
        emulator.fail("drop", requests="3-5", accept=True)
        async with emulator.session() as sens:
            ...
    assert all(len(accepted) == 1 for accepted in emulator.admissions.values())

It shares no reading of the service with the client: it parses, checks and renders by its own
code, so that a mistake made in one shows in the other.
"""

from sens_async.emulator.admissions import Admission, AdmissionLog
from sens_async.emulator.app import LoggedRequest
from sens_async.emulator.faults import Fault, FaultKind
from sens_async.emulator.files import StoredFile
from sens_async.emulator.inbox import Inbox, InboxMessage
from sens_async.emulator.options import EmulatorOptions
from sens_async.emulator.reservations import Reservation
from sens_async.emulator.script import parse_fault
from sens_async.emulator.server import Emulator
from sens_async.emulator.unsubscribes import OptOut

__all__ = [
    "Admission",
    "AdmissionLog",
    "Emulator",
    "EmulatorOptions",
    "Fault",
    "FaultKind",
    "Inbox",
    "InboxMessage",
    "LoggedRequest",
    "OptOut",
    "Reservation",
    "StoredFile",
    "parse_fault",
]
