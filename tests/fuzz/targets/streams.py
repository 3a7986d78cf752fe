"""What a network camera sends: pictures over HTTP, or RTSP."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import cv2

from edge.errors import CameraError
from edge.sources.camera import Camera
from edge.sources.factory import open_source
from edge.sources.live import LiveCamera
from tests.fuzz.servers import AnsweringThread
from tests.fuzz.target import BrokenPromiseError, Command, Target
from tests.fuzz.targets.files import Recordings, encoded, frames

_WAIT_S = 18.0
_MOST_FRAMES = 20
_REQUEST_S = 1.0
# Ticks without a first picture after all was sent.
_PATIENCE = 3
# Between the answers to one request after the other.
_NEXT = b"\0NEXT\0"
_HTTP = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n\r\n"
_BOUNDARY = b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n"
_SDP = (
    b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n"
    b"m=video 0 RTP/AVP %s\r\na=control:track1\r\n"
)
_MPEG4 = b"96\r\na=rtpmap:96 MP4V-ES/90000\r\na=fmtp:96 profile-level-id=1;config=000001b001000001b58913"
_H264 = (
    b"96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;"
    b"sprop-parameter-sets=Z0LACpp0FidCAAADAAIA,aM4G4g=="
)


class Streams(Target):
    """`H` or `R` for the kind of address, then what the camera sends; RTSP's answers have `_NEXT` between."""

    dictionary = (
        *(_NEXT, b"\r\n", b"\r\n\r\n", b": ", b"--b\r\n", b"--b--", b"HTTP/1.1 302 Found\r\nLocation: "),
        *(
            b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm="x", nonce="y"\r\n',
            b"Content-Length: ",
        ),
        *(
            b"Transfer-Encoding: chunked\r\n",
            b"Content-Encoding: gzip\r\n",
            b"Content-Range: bytes 1-2/3\r\n",
        ),
        *(
            b"multipart/x-mixed-replace;boundary=b",
            b"video/mp4",
            b"application/x-mpegURL",
            b"#EXTM3U\n",
            b"image/jp2",
        ),
        *(
            b"RTSP/1.0 200 OK\r\n",
            b"CSeq: 1\r\n",
            b"Session: ",
            b"Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n",
        ),
        *(
            b"RTSP/1.0 401 Unauthorized\r\n",
            b"$\0",
            b"$\1",
            b"$\0\xff\xff",
            b"\x80\x1a",
            b"\x80\xc8",
            b"\xff\xd8\xff",
        ),
        *(
            b"a=rtpmap:26 JPEG/90000\r\n",
            b"m=audio 0 RTP/AVP 0\r\n",
            b"a=fmtp:96 ",
            b"a=framesize:96 9-9\r\n",
        ),
        *(
            b"H265/90000",
            b"VP8/90000",
            b"vorbis/90000/2",
            b"MPEG4-GENERIC/8000",
            b"X-QT/90000",
            b"\xff\xff\xff\xff",
        ),
        *(b"file:///etc/hostname", b"concat:/dev/zero", b"subfile,,start,0,end,9,,:/dev/zero", b"data:,x"),
    )

    def corpus(self) -> list[bytes]:
        jpegs = [encoded(".jpg", frame) for frame in frames(4)]
        large = encoded(".jpg", cv2.resize(frames(1)[0], (640, 480)), cv2.IMWRITE_JPEG_QUALITY, 20)
        parts = b"".join(_BOUNDARY % (len(jpeg), jpeg) for jpeg in jpegs)
        mixed = _HTTP % b"multipart/x-mixed-replace;boundary=b"
        videos = Recordings(self.folder).corpus()[:4]
        http = [
            mixed + parts,
            mixed + parts + _BOUNDARY % (len(large), large) + parts,
            _HTTP % b"image/jpeg" + b"".join(jpegs),
            *(_HTTP % b"video/mp4" + video for video in videos),
            b'HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n',
        ]
        rtsp = [_rtsp(b"26", b"".join(_rtp(jpeg, number) for number, jpeg in enumerate(jpegs)))]
        rtsp += [
            _rtsp(_MPEG4, _packet(96, b"\0\0\1\xb6\x10", 0)),
            _rtsp(_H264, _packet(96, b"\x65\x88\x84", 0)),
        ]
        return [*(b"H" + each for each in http), *(b"R" + each for each in rtsp)]

    def try_input(self, content: bytes) -> bool:
        with AnsweringThread(_server(content)) as server:
            camera = open_source(_address(content, server.port))
            with camera:
                delivered = _watch(camera, server)
            until_s = time.monotonic() + _WAIT_S
            while isinstance(camera, LiveCamera) and camera.is_hung:
                if time.monotonic() > until_s:
                    raise BrokenPromiseError(f"a read goes on for {_WAIT_S:g} s after the camera has left")
                time.sleep(0.01)
        return delivered

    @contextmanager
    def command(self, content: bytes) -> Iterator[Command | None]:
        with AnsweringThread(_server(content)) as server:
            yield Command(
                ["run", "--source", _address(content, server.port), "--max-frames", "2"], any_code=True
            )


def _watch(camera: Camera, server: AnsweringThread) -> bool:
    """Reads frames until the camera has sent all; returns whether there were any."""
    until_s, count, empty = time.monotonic() + _WAIT_S, 0, 0
    for frame in camera:
        count += frame is not None
        empty += frame is None and server.answered.is_set()
        if count >= _MOST_FRAMES or empty > (0 if count else _PATIENCE):
            return count > 0
        if time.monotonic() > until_s:
            raise BrokenPromiseError(f"neither a picture nor an error for {_WAIT_S:g} s")
    raise CameraError("the stream ended")


def _address(content: bytes, port: int) -> str:
    return f"{'rtsp' if content[:1] == b'R' else 'http'}://127.0.0.1:{port}/x"


def _server(content: bytes) -> Callable[[socket.socket], object]:
    def serve(connection: socket.socket) -> None:
        answers = content[1:].split(_NEXT) if content[:1] == b"R" else [content[1:]]
        for answer in answers:
            if not connection.recv(1 << 16):
                return
            connection.sendall(answer)
            connection.settimeout(_REQUEST_S)  # an answer may have been none

    return serve


def _rtsp(media: bytes, sent: bytes) -> bytes:
    """Returns the answers to OPTIONS, DESCRIBE, SETUP by UDP and by TCP, PLAY, and what follows them."""
    sdp = _SDP % media
    head = b"RTSP/1.0 200 OK\r\nCSeq: %d\r\n"
    return _NEXT.join(
        (
            head % 1 + b"Public: OPTIONS, DESCRIBE, SETUP, PLAY\r\n\r\n",
            head % 2 + b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % len(sdp) + sdp,
            b"RTSP/1.0 461 Unsupported Transport\r\nCSeq: 3\r\n\r\n",
            head % 4 + b"Session: 7;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n",
            head % 5 + b"Session: 7\r\nRange: npt=0-\r\n\r\n" + sent,
        )
    )


def _packet(kind: int, payload: bytes, number: int) -> bytes:
    """Returns an RTP packet that ends a frame, interleaved as in RTSP."""
    head = (
        bytes((0x80, 0x80 | kind))
        + number.to_bytes(2, "big")
        + (number * 9000).to_bytes(4, "big")
        + b"\0\0\0\7"
    )
    return b"$\0" + (len(head) + len(payload)).to_bytes(2, "big") + head + payload


def _rtp(jpeg: bytes, number: int) -> bytes:
    """Returns a JPEG as an RTP packet (RFC 2435), with its own quantization tables."""
    tables, scan, position = b"", b"", 2
    while not scan:
        length = int.from_bytes(jpeg[position + 2 : position + 4], "big")
        segment = jpeg[position + 4 : position + 2 + length]
        if jpeg[position + 1] == 0xDB:
            tables += b"".join(segment[start + 1 : start + 65] for start in range(0, len(segment), 65))
        if jpeg[position + 1] == 0xDA:
            scan = jpeg[position + 2 + length : -2]
        position += 2 + length
    head = bytes((0, 0, 0, 0, 1, 255, 64 // 8, 48 // 8)) + b"\0\0" + len(tables).to_bytes(2, "big") + tables
    return _packet(26, head + scan, number)
