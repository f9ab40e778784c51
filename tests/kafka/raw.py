# SPDX-License-Identifier: MIT
"""Kafka's protocol by hand, for what no client does: records under the transactional id of another producer, of which
no coordinator knows; where the partitions' ends are; end markers, as kafka-transactions.sh writes them.

One broker of one node that leads everything. `Record.headers`: pairs of texts.
"""
import collections, itertools, socket, struct, time

Record = collections.namedtuple("Record", "key value headers")

PRODUCE, LIST_OFFSETS, INIT_PRODUCER_ID, WRITE_TXN_MARKERS = 0, 2, 22, 27
WAIT = (14, 15, 16, 51)  # the coordinator loads, is not there, not here; what is open is being ended
LATEST = -1


class Refused(Exception):
    """The broker answered with an error code."""


def crc_table():
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0x82f63b78 if number & 1 else 0)
        yield number


CRC_TABLE = tuple(crc_table())


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 255]
    return crc ^ 0xffffffff


def unsigned(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes([number])


def varint(number):
    return unsigned(number << 1 if number >= 0 else (-number << 1) - 1)


def sized(data):
    return varint(-1) if data is None else varint(len(data)) + data


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def compact(value):
    return unsigned(len(value) + 1) + value.encode()


def batch(records, producer, epoch):
    """A batch of one transaction, the first of its partition."""
    body, now = b"", int(time.time() * 1000)
    for number, record in enumerate(records):
        one = b"\0\0" + varint(number) + sized(record.key) + sized(record.value) + varint(len(record.headers))
        one += b"".join(sized(name.encode()) + sized(value.encode()) for name, value in record.headers)
        body += varint(len(one)) + one
    checked = struct.pack(">hiqqqhii", 0x10, len(records) - 1, now, now, producer, epoch, 0, len(records)) + body
    return struct.pack(">qiibI", 0, len(checked) + 9, -1, 2, crc32c(checked)) + checked


class Answer:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, kind):
        found = struct.unpack_from(">" + kind, self.data, self.at)
        self.at += struct.calcsize(">" + kind)
        return found if len(found) > 1 else found[0]

    def skip_text(self):
        self.at += 2 + struct.unpack_from(">h", self.data, self.at)[0]

    def count(self):
        """Of a compact array, or the size of a compact text; one of less than 127."""
        return self.take("B") - 1


class Client:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self.numbers = itertools.count(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def receive(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise Refused("the broker closed the connection")
            data += more
        return data

    def ask(self, api, version, body, flexible=False):
        number = next(self.numbers)
        head = struct.pack(">hhi", api, version, number) + text("test") + (b"\0" if flexible else b"")
        self.socket.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
        answer = Answer(self.receive(struct.unpack(">i", self.receive(4))[0]))
        if answer.take("i") != number:
            raise Refused("an answer to something else")
        if flexible:
            answer.take("B")
        return answer

    def fence(self, name, seconds=20):
        """As a new producer of that transactional id: what the coordinator knows as open is ended. Gives id, epoch."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.ask(INIT_PRODUCER_ID, 1, text(name) + struct.pack(">i", 10000))
            _, code, producer, epoch = answer.take("ihqh")
            if code == 0:
                return producer, epoch
            if code not in WAIT or time.monotonic() > deadline:
                raise Refused(f"InitProducerId of {name}: error {code}")
            time.sleep(0.05)

    def produce(self, name, producer, epoch, topic, partition, records):
        """No partition is added to a transaction first."""
        data = batch(records, producer, epoch)
        body = text(name) + struct.pack(">hii", -1, 10000, 1) + text(topic)
        answer = self.ask(PRODUCE, 3, body + struct.pack(">iii", 1, partition, len(data)) + data)
        answer.take("i")
        answer.skip_text()
        _, _, code, offset = answer.take("iihq")
        if code != 0:
            raise Refused(f"Produce to {topic}/{partition}: error {code}")
        return offset

    def end(self, topic, partition, committed):
        """Where a reader's partition ends: before what is open, or behind everything."""
        body = struct.pack(">ibi", -1, committed, 1) + text(topic) + struct.pack(">iiq", 1, partition, LATEST)
        answer = self.ask(LIST_OFFSETS, 2, body)
        answer.take("ii")
        answer.skip_text()
        _, _, code, _, offset = answer.take("iihqq")
        if code != 0:
            raise Refused(f"ListOffsets of {topic}/{partition}: error {code}")
        return offset

    def is_open(self, topic, partition):
        return self.end(topic, partition, True) < self.end(topic, partition, False)

    def mark_end(self, producer, epoch, topic, partition, commit):
        """What is open of that producer in one partition is ended there, whatever the coordinator thinks of it."""
        body = b"\x02" + struct.pack(">qhb", producer, epoch, commit) + b"\x02" + compact(topic)
        body += b"\x02" + struct.pack(">i", partition) + b"\0" + struct.pack(">i", 0) + b"\0\0"
        answer = self.ask(WRITE_TXN_MARKERS, 1, body, flexible=True)
        answer.count()
        answer.take("q")
        answer.count()
        size = answer.count()
        answer.at += size
        answer.count()
        _, code = answer.take("ih")
        if code != 0:
            raise Refused(f"WriteTxnMarkers to {topic}/{partition}: error {code}")
