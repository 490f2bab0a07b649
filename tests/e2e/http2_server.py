"""A provider that speaks HTTP/2 as a test wants it, and HTTP/1.1 to those who ask for that."""

import asyncio
import json
import ssl

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

import wires


class Http2Origin:
    """`decide(lead_id, nth)` says what becomes of the n-th request (from 0) for a lead over HTTP/2: an
    error code of h2.errors for its stream, "goaway" or "close" for its connection, "silent" for no
    answer at all, a list of functions of the connection and the stream's number that answer as they
    like, one a little after the other ("close" among them ends the connection), or None: its answer,
    after `delay` seconds.  Over HTTP/1.1 every request is answered."""

    def __init__(self, loop, certificates, decide=lambda lead_id, nth: None, delay=0.01):
        self.decide, self.delay, self.asked = decide, delay, []
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificates / "good.pem", certificates / "good.key")
        context.set_alpn_protocols(["h2", "http/1.1"])
        self._http1 = wires.Origin(loop, delay=delay)
        self.server = wires.Server(loop, self._serve, ssl=context)
        self.port = self.server.port

    def over(self, version):
        return [lead_id for lead_id, how in self.asked if how == version]

    async def _serve(self, reader, writer):
        if writer.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
            onward, back = await asyncio.open_connection("127.0.0.1", self._http1.port)
            await asyncio.gather(self._copy(reader, back, True), self._copy(onward, writer, False))
            return
        try:
            await self._serve_http2(reader, writer)
        except h2.exceptions.ProtocolError:
            pass  # frames for what was ended meanwhile
        finally:
            writer.transport.abort()  # closing would wait for the other side's end of TLS

    async def _serve_http2(self, reader, writer):
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        tasks = set()
        while not writer.is_closing():
            writer.write(connection.data_to_send())
            data = await reader.read(65536)
            if not data:
                break
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    task = asyncio.ensure_future(self._request(connection, writer, event))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)

    async def _copy(self, reader, writer, note):
        while True:
            data = await reader.read(65536)
            if not data:
                return writer.close()
            if note:
                self.asked.append((data.split(b" ")[1].decode().rsplit("/", 1)[1], 1))
            writer.write(data)

    async def _request(self, connection, writer, event):
        lead_id = dict(event.headers)[b":path"].decode().rsplit("/", 1)[1]
        fate = self.decide(lead_id, self.over(2).count(lead_id))
        self.asked.append((lead_id, 2))
        if fate == "close":
            writer.transport.abort()
        elif isinstance(fate, list):
            for step in fate:
                if writer.is_closing():
                    return
                if step == "close":
                    writer.transport.abort()
                    return
                step(connection, event.stream_id)
                writer.write(connection.data_to_send())
                await asyncio.sleep(0.05)
            if connection.state_machine.state == h2.connection.ConnectionState.CLOSED:
                writer.transport.abort()
        elif fate == "goaway":
            connection.close_connection(last_stream_id=event.stream_id - 2)
            writer.write(connection.data_to_send())
            await asyncio.sleep(0.02)  # a TLS connection that is closed waits for the other side
            writer.transport.abort()
        elif fate is None:
            await asyncio.sleep(self.delay)
            if writer.is_closing():
                return
            body = json.dumps({"id": lead_id, "asked": lead_id}).encode()
            connection.send_headers(event.stream_id, [(":status", "200"), ("content-length", str(len(body)))])
            connection.send_data(event.stream_id, body, end_stream=True)
            writer.write(connection.data_to_send())
        elif fate != "silent":
            connection.reset_stream(event.stream_id, fate)
            writer.write(connection.data_to_send())
