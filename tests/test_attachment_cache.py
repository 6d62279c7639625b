import asyncio
import io
import logging
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from PIL import Image

from sens_async.attachment_cache import Attachment, AttachmentCache
from sens_async.attachment_store import MemoryStore
from sens_async.core.attachments import digest, upload_name, why_not
from sens_async.core.schedule import from_epoch
from sens_async.errors import BadRequest, InvalidAttachment, InvalidSchedule, SessionClosed
from sens_async.models import UploadedFile

SERVICE = "ncp:sms:kr:000000000001:demo"
DAY = 86_400.0


def encoded(colour: str, kind: str = "JPEG", size=(40, 30)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


RED, BLUE = encoded("red"), encoded("blue")


class Uploader:
    """The service as the cache sees it: same name and size, same file, while it lives.

    Attributes:
        uploads: (name, data) of each call.
        keeps: Seconds for which a new file is kept.
        remembers: Seconds for which a name and size stand for their file.
        takes: Seconds that an upload takes.
        error: Raised instead of answering.
    """

    def __init__(self, clock, *, keeps=2 * DAY, remembers=6 * DAY) -> None:
        self.uploads: list[tuple[str, bytes]] = []
        self.keeps = keeps
        self.remembers = remembers
        self.takes = 1.0
        self.error: Exception | None = None
        self._clock = clock
        self._files: dict[tuple[str, int], tuple[float, UploadedFile]] = {}

    async def __call__(self, name: str, data: bytes) -> UploadedFile:
        self.uploads.append((name, data))
        await self._clock.sleep(self.takes)
        if self.error is not None:
            raise self.error
        now = self._clock.time()
        forgotten, file = self._files.get((name, len(data)), (0.0, None))
        if file is None or now >= forgotten:
            number = len(self._files) + len(self.uploads)
            file = UploadedFile(file_id=f"file{number}", expires_at=from_epoch(now + self.keeps))
            self._files[name, len(data)] = (now + self.remembers, file)
        return file

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.uploads]


class SlowStore(MemoryStore):
    """A store as several processes would share it: answers take time, leases exclude."""

    def __init__(self, clock) -> None:
        super().__init__()
        self.gets = 0
        self._clock = clock
        self._lock = asyncio.Lock()

    async def get(self, key):
        self.gets += 1
        await self._clock.sleep(0.01)
        return await super().get(key)

    @asynccontextmanager
    async def lease(self, key):
        async with self._lock:
            yield


class BrokenStore:
    async def get(self, key):
        raise ConnectionError("store away")

    async def put(self, key, file):
        raise ConnectionError("store away")

    async def drop(self, key):
        raise ConnectionError("store away")

    @asynccontextmanager
    async def lease(self, key):
        raise ConnectionError("store away")
        yield


@pytest.fixture
async def upload(clock) -> Uploader:
    return Uploader(clock)


@pytest.fixture
async def open_cache(clock, upload):
    caches = []

    def open_one(store=None, service_id=SERVICE) -> AttachmentCache:
        caches.append(
            AttachmentCache(service_id=service_id, upload=upload, clock=clock, store=store)
        )
        return caches[-1]

    yield open_one
    for cache in caches:
        await cache.aclose()


@pytest.fixture
async def cache(open_cache) -> AttachmentCache:
    return open_cache()


@pytest.fixture
def later(clock):
    """An aware datetime so many seconds from now."""
    return lambda seconds: from_epoch(clock.time()) + timedelta(seconds=seconds)


class TestReuse:
    async def test_a_picture_is_uploaded_under_a_name_that_stands_for_its_bytes(
        self, cache, upload, later
    ):
        file = await cache.get(RED)

        assert upload.uploads == [(upload_name(digest(RED)), RED)]
        assert file == UploadedFile(
            file_id=file.file_id,
            expires_at=later(2 * DAY),
            name=upload_name(digest(RED)),
            size_bytes=len(RED),
            digest=digest(RED),
        )

    async def test_it_is_used_again(self, cache, upload, tmp_path):
        path = tmp_path / "red.jpg"
        path.write_bytes(RED)

        assert await cache.get(RED) == await cache.get(path) == await cache.get(str(path))
        assert len(upload.uploads) == 1

    async def test_a_file_that_was_changed_is_another_picture(self, cache, upload, tmp_path):
        path = tmp_path / "poster.jpg"
        path.write_bytes(RED)
        first = await cache.get(path)
        path.write_bytes(BLUE)

        assert (await cache.get(path)).file_id != first.file_id
        assert [data for _, data in upload.uploads] == [RED, BLUE]

    async def test_a_hundred_concurrent_sends_are_one_upload(self, cache, upload):
        files = await asyncio.gather(*(cache.get(RED) for _ in range(100)))

        assert len({file.file_id for file in files}) == 1
        assert len(upload.uploads) == 1

    async def test_also_when_each_is_reserved_for_another_time(self, cache, upload, later):
        times = [later(60 * minutes) for minutes in range(100)]
        files = await asyncio.gather(*(cache.get(RED, needed_until=time) for time in times))

        assert len({file.file_id for file in files}) == 1
        assert len(upload.uploads) == 1

    async def test_a_cached_file_costs_no_turn_of_the_loop(self, cache):
        attachment = await cache.prepare(RED)
        await cache.file(attachment)
        step = cache.file(attachment)

        with pytest.raises(StopIteration):
            step.send(None)

    async def test_another_service_does_not_share_it(self, open_cache, upload):
        store = MemoryStore()
        await open_cache(store).get(RED)
        await open_cache(store, service_id="ncp:sms:kr:000000000002:other").get(RED)

        assert len(upload.uploads) == 2

    async def test_a_failed_upload_fails_all_who_waited_and_is_not_remembered(self, cache, upload):
        upload.error = BadRequest("no", status=400)
        results = await asyncio.gather(*(cache.get(RED) for _ in range(5)), return_exceptions=True)
        upload.error = None

        assert [type(result) for result in results] == [BadRequest] * 5
        assert len({id(result) for result in results}) == 5
        assert len(upload.uploads) == 1
        assert (await cache.get(RED)).digest == digest(RED)

    async def test_cancelling_the_first_does_not_fail_the_others(self, cache, upload, clock):
        attachment = await cache.prepare(RED)
        first = asyncio.create_task(cache.file(attachment))
        second = asyncio.create_task(cache.file(attachment))
        await clock.sleep(0.5)
        first.cancel()

        assert (await second).digest == digest(RED)
        assert first.cancelled()
        assert len(upload.uploads) == 1


class TestPreparing:
    async def test_any_picture_becomes_a_jpeg_that_fits(self, cache, upload):
        await cache.get(encoded("red", "PNG", (3000, 100)))

        assert why_not(upload.uploads[0][1]) is None

    async def test_it_is_decoded_once(self, cache):
        source = encoded("red", "PNG")
        attachments = await asyncio.gather(*(cache.prepare(source) for _ in range(10)))

        assert all(each is attachments[0] for each in attachments)
        assert await cache.prepare(source) is attachments[0]

    async def test_nothing_is_uploaded_yet(self, cache, upload):
        attachment = await cache.prepare(RED)

        assert (attachment.digest, attachment.data) == (digest(RED), RED)
        assert attachment.is_replaceable
        assert upload.uploads == []

    async def test_two_copies_of_a_bad_picture_are_refused_by_their_own_names(
        self, cache, tmp_path
    ):
        for name in ("one.png", "two.png"):
            (tmp_path / name).write_bytes(b"no picture")
        results = await asyncio.gather(
            cache.prepare(tmp_path / "one.png"),
            cache.prepare(tmp_path / "two.png"),
            return_exceptions=True,
        )

        assert [type(result) for result in results] == [InvalidAttachment] * 2
        assert "one.png" in str(results[0])
        assert "two.png" in str(results[1])

    async def test_the_picture_is_not_in_the_repr(self):
        attachment = Attachment(digest="d", data=RED)

        assert repr(attachment) == f"Attachment(digest='d', data=<{len(RED)} bytes>, given=None)"


class TestExpiry:
    async def test_a_file_is_used_until_an_hour_before_it_expires(self, cache, upload, clock):
        first = await cache.get(RED)
        await clock.sleep(2 * DAY - 3610)
        assert await cache.get(RED) == first
        await clock.sleep(20)
        upload.remembers = 0
        second = await cache.get(RED)

        assert second.file_id != first.file_id
        assert second.expires_at > first.expires_at

    async def test_an_old_file_for_the_same_name_is_replaced_under_another(
        self, cache, upload, clock, later
    ):
        """SENS keeps files for 2 days by its sample and knows names for 6 by its text."""
        first = await cache.get(RED)
        await clock.sleep(2 * DAY - 100)
        second = await cache.get(RED)

        plain, again, salted = upload.names
        assert plain == again == upload_name(digest(RED))
        assert salted.startswith(digest(RED)[:32] + "-")
        assert len(salted) == 40
        assert (second.name, second.digest) == (salted, digest(RED))
        assert second.file_id != first.file_id
        assert second.expires_at == later(2 * DAY)
        assert await cache.get(RED) == second

    async def test_a_long_run_never_meets_an_expired_file(self, cache, clock, upload):
        attachment = await cache.prepare(RED)
        for _ in range(20 * 24):
            file = await cache.file(attachment)
            assert file.expires_at >= from_epoch(clock.time())
            await clock.sleep(3600)

        assert len({file for _, file in upload.uploads}) == 1
        assert len(upload.uploads) < 25

    async def test_a_process_that_starts_later_does_not_get_the_salted_file_of_the_last(
        self, open_cache, clock
    ):
        for _ in range(5):
            file = await open_cache().get(RED)

            assert file.expires_at > from_epoch(clock.time())
            await clock.sleep(2.5 * DAY)

    async def test_a_reservation_needs_a_file_that_outlives_it(self, cache, upload, clock, later):
        await cache.get(RED)
        await clock.sleep(DAY)
        reserve_at = later(1.5 * DAY)
        file = await cache.get(RED, needed_until=reserve_at)

        assert file.expires_at > reserve_at
        assert len(upload.uploads) == 3
        assert await cache.get(RED, needed_until=reserve_at) == file
        assert await cache.get(RED) == file

    async def test_a_reservation_beyond_what_the_service_keeps_is_refused(self, cache, later):
        with pytest.raises(
            InvalidSchedule,
            match=r"would go out at 2025-11-28 09:39:4\d KST, .* only until 2025-11-27 09:39:4\d KST",
        ):
            await cache.get(RED, needed_until=later(3 * DAY))

    async def test_what_was_uploaded_for_it_serves_others(self, cache, upload, later):
        with pytest.raises(InvalidSchedule):
            await cache.get(RED, needed_until=later(3 * DAY))
        await cache.get(RED)

        assert len(upload.uploads) == 2

    async def test_a_reservation_in_the_last_hour_of_the_file_is_taken(self, cache, upload, later):
        reserve_at = later(2 * DAY - 600)
        files = [await cache.get(RED, needed_until=reserve_at) for _ in range(5)]

        assert all(file.expires_at > reserve_at for file in files)
        assert len(upload.uploads) == 2

    async def test_files_that_hardly_live_are_not_uploaded_for_every_request(self, cache, upload):
        upload.keeps = 600
        upload.takes = 0.1
        for _ in range(50):
            await cache.get(RED)

        assert len(upload.uploads) == 2


class TestRefusedFiles:
    async def test_the_next_upload_has_another_name(self, cache, upload):
        attachment = await cache.prepare(RED)
        refused = await cache.file(attachment)
        await cache.drop(attachment, refused.file_id)
        file = await cache.file(attachment)

        assert file.file_id != refused.file_id
        assert file.name != refused.name
        assert [data for _, data in upload.uploads] == [RED, RED]
        assert await cache.file(attachment) == file

    async def test_many_requests_refused_for_one_file_have_it_uploaded_once(self, cache, upload):
        attachment = await cache.prepare(RED)
        refused = await cache.file(attachment)

        async def replace(delay: float) -> UploadedFile:
            await asyncio.sleep(delay)
            await cache.drop(attachment, refused.file_id)
            return await cache.file(attachment)

        files = await asyncio.gather(*(replace(index * 0.1) for index in range(32)))

        assert len({file.file_id for file in files}) == 1
        assert len(upload.uploads) == 2

    async def test_after_that_its_own_name_is_used_again(self, cache, upload, clock):
        attachment = await cache.prepare(RED)
        refused = await cache.file(attachment)
        await cache.drop(attachment, refused.file_id)
        await cache.file(attachment)
        await cache.drop(attachment, refused.file_id)  # by a request that was refused late
        await clock.sleep(7 * DAY)

        assert (await cache.file(attachment)).name == upload_name(digest(RED))

    async def test_what_the_caller_uploaded_cannot_be_replaced(self, cache, upload, later):
        given = UploadedFile(file_id="mine", expires_at=later(DAY))
        attachment = await cache.prepare(given)
        await cache.drop(attachment, "mine")

        assert not attachment.is_replaceable
        assert await cache.file(attachment) == given
        assert upload.uploads == []

    async def test_but_is_forgotten_if_it_came_from_here(self, cache, upload):
        given = await cache.get(RED)
        await cache.drop(await cache.prepare(given), given.file_id)

        assert (await cache.get(RED)).file_id != given.file_id
        assert len(upload.uploads) == 2


class TestFilesOfTheCaller:
    async def test_pass_through(self, cache, upload, later):
        given = UploadedFile(file_id="mine", expires_at=later(600))

        assert await cache.get(given) is given
        assert await cache.get(given, needed_until=later(599)) is given
        assert upload.uploads == []

    async def test_are_refused_once_expired(self, cache, later):
        given = UploadedFile(file_id="mine", expires_at=later(0))

        with pytest.raises(
            InvalidAttachment, match="file mine expired at 2025-11-25 09:39:40 KST; upload"
        ):
            await cache.get(given)

    async def test_are_refused_if_they_expire_before_the_reservation(self, cache, later):
        given = UploadedFile(file_id="mine", expires_at=later(600))

        with pytest.raises(InvalidSchedule, match="only until 2025-11-25 09:49:40 KST"):
            await cache.get(given, needed_until=later(600))

    async def test_need_a_time_zone(self, cache):
        given = UploadedFile(file_id="mine", expires_at=datetime(2030, 1, 1))  # noqa: DTZ001

        with pytest.raises(InvalidAttachment, match="expires_at of the uploaded file mine"):
            await cache.get(given)


class TestSharedStore:
    async def test_another_process_uses_the_file(self, open_cache, clock, upload):
        store = SlowStore(clock)
        file = await open_cache(store).get(RED)

        assert await open_cache(store).get(RED) == file
        assert len(upload.uploads) == 1

    async def test_processes_that_start_together_upload_once(self, open_cache, clock, upload):
        store = SlowStore(clock)
        caches = [open_cache(store) for _ in range(8)]
        files = await asyncio.gather(*(cache.get(RED) for cache in caches for _ in range(5)))

        assert len({file.file_id for file in files}) == 1
        assert len(upload.uploads) == 1

    async def test_processes_that_renew_together_upload_once_more(self, open_cache, clock, upload):
        store = SlowStore(clock)
        caches = [open_cache(store) for _ in range(8)]
        await asyncio.gather(*(cache.get(RED) for cache in caches))
        await clock.sleep(7 * DAY)
        files = await asyncio.gather(*(cache.get(RED) for cache in caches))

        assert len({file.file_id for file in files}) == 1
        assert len(upload.uploads) == 2

    async def test_is_not_asked_for_what_this_process_knows(self, open_cache, clock):
        store = SlowStore(clock)
        uploader, other = open_cache(store), open_cache(store)
        await uploader.get(RED)
        await other.get(RED)
        before = store.gets
        await uploader.get(RED)
        await other.get(RED)

        assert store.gets == before

    async def test_a_refused_file_is_replaced_for_all(self, open_cache, clock, upload):
        store = SlowStore(clock)
        caches = [open_cache(store) for _ in range(4)]
        attachment = await caches[0].prepare(RED)
        refused = [await cache.file(attachment) for cache in caches]
        files = []
        for cache in caches:
            await cache.drop(attachment, refused[0].file_id)
            files.append(await cache.file(attachment))

        assert len(set(refused)) == 1
        assert len(set(files)) == 1
        assert files[0].file_id != refused[0].file_id
        assert len(upload.uploads) == 2

    async def test_one_that_fails_fails_no_send(self, open_cache, upload, caplog):
        cache = open_cache(BrokenStore())
        attachment = await cache.prepare(RED)
        file = await cache.file(attachment)

        assert await cache.file(attachment) == file
        assert len(upload.uploads) == 1
        assert {record.name for record in caplog.records} == {"sens_async"}
        assert {record.levelno for record in caplog.records} == {logging.WARNING}
        assert "the attachment store failed to look up a file" in caplog.text

    async def test_a_refused_file_that_it_would_not_forget_is_not_used(
        self, open_cache, clock, caplog
    ):
        class Stubborn(SlowStore):
            async def drop(self, key):
                raise ConnectionError("store away")

        cache = open_cache(Stubborn(clock))
        attachment = await cache.prepare(RED)
        refused = await cache.file(attachment)
        await cache.drop(attachment, refused.file_id)

        assert (await cache.file(attachment)).file_id != refused.file_id
        assert "failed to forget a file" in caplog.text

    async def test_a_lease_that_fails_to_end_fails_no_send(self, open_cache, clock, caplog):
        class Lapsing(SlowStore):
            @asynccontextmanager
            async def lease(self, key):
                yield
                raise ConnectionError("store away")

        assert (await open_cache(Lapsing(clock)).get(RED)).digest == digest(RED)
        assert "failed to end the lease of a file" in caplog.text

    async def test_an_upload_that_fails_ends_the_lease(self, open_cache, clock, upload):
        store = SlowStore(clock)
        upload.error = BadRequest("no", status=400)
        with pytest.raises(BadRequest):
            await open_cache(store).get(RED)
        upload.error = None

        assert (await open_cache(store).get(RED)).digest == digest(RED)


class TestMemoryStore:
    async def test_forgets_what_was_used_longest_ago(self, later):
        store = MemoryStore(max_files=2)
        file = UploadedFile(file_id="f", expires_at=later(DAY))
        await store.put("a", file)
        await store.put("b", file)
        await store.get("a")
        await store.put("c", file)

        assert [await store.get(key) for key in "abc"] == [file, None, file]
        assert repr(store) == "<MemoryStore files=2>"

    async def test_forgets_what_is_dropped(self, later):
        store = MemoryStore()
        await store.put("a", UploadedFile(file_id="f", expires_at=later(DAY)))
        await store.drop("a")
        await store.drop("never there")

        assert await store.get("a") is None


class TestClosing:
    async def test_who_waits_for_an_upload_is_told(self, cache, clock):
        waiter = asyncio.create_task(cache.get(RED))
        await clock.sleep(0.5)
        await cache.aclose()

        with pytest.raises(SessionClosed, match="before its upload was done"):
            await waiter

    async def test_nothing_new_is_begun(self, cache):
        attachment = await cache.prepare(RED)
        await cache.aclose()

        with pytest.raises(SessionClosed):
            await cache.file(attachment)


async def test_repr_shows_what_is_held(cache):
    await cache.get(RED)

    assert repr(cache) == f"<AttachmentCache {SERVICE} files=1>"
