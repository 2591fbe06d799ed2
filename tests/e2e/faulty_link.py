"""A network between tenon and the ATS that fails at any byte, on either side of the effect.

A relay which reads one request after the other and gives each its fate: it is passed on, or it or
its answer breaks off at a random byte, or waits there for ever, or it arrives after all, when
nobody waits for it any more."""
import asyncio
import collections
import random
import socket
import struct
import threading

# name: what becomes of a request, and whether the ATS gets the whole of it
FATES = {
    "request_reset": False,  # so many bytes of the request, then RST both ways
    "request_closed": False,  # the same with FIN
    "request_stalled": False,  # the same, and nothing more
    "reply_reset": True,  # so many bytes of the answer, then RST
    "reply_closed": True,
    "reply_stalled": True,
    "late": True,  # RST at once; the ATS gets the request later
    "reset_after": True,  # the whole answer, and RST into the connection that is kept
}
LATE_SECONDS = 1.5


class FaultyLink:
    def __init__(self, target, seed):
        self.target = target.split(":")
        self.random = random.Random(f"link {seed}")
        self.chances = {}
        self.counts = collections.Counter()
        self.pending = set()
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self.thread.start()
        ready.wait()

    def _run(self, ready):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.host = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
        ready.set()
        self.loop.run_forever()

    def set_chances(self, **chances):
        """For each fate its probability, for each request from now on."""
        assert set(chances) <= set(FATES)
        self.chances = chances

    def drain(self):
        """Until everything that is on its way has arrived."""
        while self.pending:
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0.02), self.loop).result()

    def stop(self):
        async def end():
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        asyncio.run_coroutine_threadsafe(end(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    def _draw(self):
        x = self.random.random()
        for fate, chance in self.chances.items():
            x -= chance
            if x < 0:
                self.counts[fate] += 1
                return fate
        self.counts["passed"] += 1
        return "passed"

    async def _serve(self, reader, writer):
        ats = None
        try:
            while True:
                request = await read_message(reader)
                if ats is None:
                    ats = await asyncio.open_connection(*self.target)
                if not await self._carry(request, self._draw(), reader, writer, ats):
                    break
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            if ats:
                ats[1].close()

    async def _carry(self, request, fate, reader, writer, ats):
        """False when the connection is over."""
        where, how = fate.split("_") if "_" in fate else (fate, "")
        if where == "request":
            return await self._break_off(request, how, ats[1], writer, reader)
        if where == "late":
            reset(writer)
            await self._deliver(request, ats, self.random.uniform(0, LATE_SECONDS))
            return False
        reply = await self._deliver(request, ats, 0)
        if where == "reply":
            return await self._break_off(reply, how, writer, None, reader)
        writer.write(reply)
        await writer.drain()
        if where == "reset":
            reset(writer)
        return where == "passed"

    async def _deliver(self, request, ats, delay):
        """What is under way arrives, also when its sender is dead by then."""
        task = asyncio.ensure_future(self._exchange(request, ats, delay))
        self.pending.add(task)
        task.add_done_callback(self.pending.discard)
        return await asyncio.shield(task)

    async def _exchange(self, request, ats, delay):
        await asyncio.sleep(delay)
        ats[1].write(request)
        return await read_message(ats[0])

    async def _break_off(self, message, how, writer, other, caller):
        writer.write(message[:self.random.randrange(len(message))])
        await writer.drain()
        if how == "stalled":
            await caller.read()  # until it gives up
        for each in (writer, other):
            if each and how == "reset":
                reset(each)
        return False


def reset(writer):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                               struct.pack("ii", 1, 0))
    writer.transport.abort()


async def read_message(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
        assert not line.startswith(b"transfer-encoding:"), head
    return head + await reader.readexactly(length)
