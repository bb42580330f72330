"""Devices without the devices: a pair of pseudo-terminals, packets on loopback, made-up ports."""

import os
import socket
import struct
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symphony.errors import RequestError
from symphony.live import MidiPort, Steady
from symphony.live.devices import Armband, Camera, Knobs, Phone, parse_jevois, parse_osc
from symphony.live.traces import muscles, rms

unix = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix's")


class Terminal:
    """What pyserial gives, on our side of a pseudo-terminal."""

    def __init__(self, number):
        self.number = number
        os.set_blocking(number, False)

    def read(self, most):
        try:
            return os.read(self.number, most)
        except BlockingIOError:
            return b""

    def close(self):
        os.close(self.number)


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("T2 0 0", (0.5, 0.5)),
        ("T2 1000 -750", (1.0, 1.0)),
        ("T2 -1000 750", (0.0, 0.0)),
        ("12:no T2 0 0", None),
        ("1234.5 T2 500 0", (0.75, 0.5)),
        ("N2 hand 0 375 100 100", (0.5, 0.25)),
        ("D2 hand -100 -100 100 -100 100 100 -100 100", (0.5, 0.5)),
        ("F2 hand 4 0 0 0 0 200 0 200 300", (0.55, 0.4)),  # a vertex twice: the box's middle
        ("T1 500", None),
        ("T2 nan 0", None),
        ("T2 inf 0", None),
        ("N2 hand 1 2 3", None),
        ("F2 hand 9 0 0", None),
        ("D2 hand nan -100 100 -100 100 100 -100 100", None),
        ("", None),
    ],
)
def test_a_cameras_messages(line, place):
    found = parse_jevois(line)
    assert found is None if place is None else found == pytest.approx(place)


@given(st.text(max_size=200))
def test_no_line_breaks_the_parser(line):
    found = parse_jevois(line)
    assert found is None or np.isfinite(found).all()


@unix
def test_a_camera_on_a_line_of_garbage():
    import tty

    theirs, ours = os.openpty()
    tty.setraw(ours)  # as pyserial does
    camera = Camera(Terminal(ours))
    camera.open()
    assert not camera.read(0.0).ok
    os.write(theirs, b"\xff\xfe\x00garbage\nT2 0 0\nT2 500 ")
    assert camera.read(1.0).values.tolist() == [0.5, 0.5]
    os.write(theirs, b"-375\nT2 nan 0\n")
    seen = camera.read(2.0)
    np.testing.assert_allclose(seen.values, [0.75, 0.75])
    assert (seen.time, camera.read(2.5).age) == (2.0, 0.5)
    assert camera.refused == 2
    camera.close()
    os.close(theirs)


def test_noise_without_an_end_of_line_does_not_pile_up():
    class Noise:
        def read(self, most):
            return b"x" * most

        def close(self):
            pass

    camera = Camera(Noise())
    for now in range(50):
        camera.read(float(now))
    assert len(camera._rest) <= 512


class Inlet:
    """What pylsl gives."""

    def __init__(self, frames):
        self.frames = list(frames)

    def pull_chunk(self, timeout):
        assert timeout == 0.0  # never waits
        chunk, self.frames = self.frames[:7], self.frames[7:]
        return chunk, [0.0] * len(chunk)

    def close_stream(self):
        self.frames = []


def test_an_armband_reads_the_rms_of_its_last_frames_and_falls_silent():
    frames = muscles(["fist"], 1.0).astype(float)
    band = Armband(Inlet(frames.tolist()))
    band.open()
    for i in range(28):
        last = band.read(0.035 * i)
    np.testing.assert_allclose(last.values, rms(frames[196 - 30 : 196]))
    band.read(1.0)
    assert band.read(2.0).age == pytest.approx(1.0)  # nothing says that an outlet has died


def test_an_armband_with_too_few_sensors_is_told_by_steady():
    steady = Steady(Armband(Inlet([[1.0] * 7] * 20)))
    steady.open()
    assert steady.read(0.0).values.shape == (8,)
    assert steady.faults["wrong channels"] == 1


def message(path, *values):
    padded = path.encode() + b"\0" * (4 - len(path) % 4)
    kinds = ("," + "f" * len(values)).encode()
    kinds += b"\0" * (4 - len(kinds) % 4)
    return padded + kinds + struct.pack(f">{len(values)}f", *values)


def bundle(*packets):
    inside = b"".join(struct.pack(">i", len(p)) + p for p in packets)
    return b"#bundle\0" + b"\0" * 8 + inside


def test_osc_messages_and_bundles():
    assert parse_osc(message("/pad", 0.25, 0.5)) == [("/pad", [0.25, 0.5])]
    one, other = message("/pad", 0.0, 1.0), message("/other", 3.0)
    nested = bundle(one, bundle(other))
    assert parse_osc(nested) == [("/pad", [0.0, 1.0]), ("/other", [3.0])]
    whole = b"/n\0\0,i\0\0" + struct.pack(">i", 7)
    assert parse_osc(whole) == [("/n", [7.0])]


@given(st.binary(max_size=300))
def test_no_packet_breaks_the_parser(packet):
    for data in (packet, b"#bundle\0" + packet, b"/pad\0\0\0\0,ff\0" + packet):
        for _, values in parse_osc(data):
            assert len(values) <= 64


def test_hostile_packets_say_nothing():
    endless = bundle(message("/pad", 1.0))
    for _ in range(50):
        endless = bundle(endless)
    assert parse_osc(endless) == []
    assert parse_osc(b"#bundle\0" + b"\0" * 8 + struct.pack(">i", 2**31 - 1)) == []
    assert parse_osc(b"#bundle\0" + b"\0" * 8 + struct.pack(">i", -4)) == []
    assert parse_osc(message("/pad", 1.0)[:-1]) == []
    assert parse_osc(b"/pad\0\0\0\0,s\0\0abc\0") == []


def test_a_phone_is_heard_on_loopback_and_nowhere_else():
    assert Phone().address == ("127.0.0.1", 9000)
    phone = Phone(0)
    phone.open()
    host, port = phone.address
    assert host == "127.0.0.1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for packet in (b"\0", message("/pad", 0.1, 0.2), message("/pad", 0.3), b"/pad"):
            sender.sendto(packet, (host, port))
        found = phone.read(1.0)
    np.testing.assert_allclose(found.values, [0.1, 0.2], atol=1e-6)
    assert phone.refused == 3
    phone.close()
    phone.close()


class Port:
    """A port of mido's that keeps what it is sent."""

    def __init__(self, messages=(), breaks=None):
        self.messages, self.sent, self.closed, self.breaks = list(messages), [], False, breaks

    def iter_pending(self):
        waiting, self.messages = self.messages, []
        return waiting

    def send(self, message):
        if self.breaks is not None and len(self.sent) >= self.breaks:
            raise OSError("unplugged")
        self.sent.append(message)

    def close(self):
        self.closed = True


def test_knobs_stay_where_they_were_left():
    import mido

    change = {"type": "control_change"}
    port = Port(
        [mido.Message(**change, control=1, value=127), mido.Message(**change, control=7, value=1)]
    )
    knobs = Knobs(port)
    knobs.open()
    assert knobs.read(1.0).values.tolist() == [1.0, 0.5]
    assert knobs.read(60.0).age == 0.0
    knobs.close()
    assert port.closed


def test_a_midi_port_is_silenced_when_it_closes():
    port = Port()
    sink = MidiPort(port)
    sink.send(0.0, 60, 80)
    sink.send(1.0, 60, 0)
    sink.close()
    assert [m.type for m in port.sent] == ["note_on", "note_off", *["control_change"] * 2]
    assert [m.control for m in port.sent[2:]] == [64, 123]
    assert port.closed


def test_what_is_not_installed_is_said(monkeypatch):
    for name in ("serial", "pylsl"):
        monkeypatch.setitem(sys.modules, name, None)
    for source in (Camera("/dev/none"), Armband()):
        with pytest.raises(RequestError, match=r"pip install 'deep-symphony\[live\]'"):
            source.open()
    monkeypatch.setitem(sys.modules, "mido", None)
    with pytest.raises(RequestError, match="mido"):
        MidiPort("x")
