from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest

from edgecnn.errors import ArgumentError
from edgecnn.web import app, hub
from edgecnn.web.server import parse_address
from tests.web.conftest import Camera, Loop, observation


def ask(page, method: str, path: str, body: bytes | None = None, **headers: str):
    """One request; gives status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=30)
    try:
        connection.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def picture_of(shade: int = 255) -> bytes:
    return cv2.imencode(".png", np.full((40, 40, 3), shade, np.uint8))[1].tobytes()


def test_page_and_its_parts_come_from_here_alone(serve) -> None:
    page = serve()
    for path in ("/", "/page.css", "/page.js"):
        status, headers, body = ask(page, "GET", path)
        assert status == 200
        assert "default-src 'self'" in headers["content-security-policy"]
        assert b"http://" not in body.replace(b"http://www.w3.org/2000/svg", b"")
        assert b"https://" not in body
    assert ask(page, "GET", "/../server.py")[0] == 404


def test_picture_is_read(serve) -> None:
    status, _headers, body = ask(serve(), "POST", "/api/read", picture_of())
    assert status == 200
    answer = json.loads(body)
    assert {"source", "frame", "time", "readings", "text"} <= set(answer)


@pytest.mark.parametrize(
    ("body", "status", "line"),
    [
        (b"", 422, "picture"),
        (b"GIF89a" + bytes(50), 422, "picture"),
        (picture_of()[:60], 422, "picture"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (30_000).to_bytes(4, "big") * 2 + bytes(5), 422, "picture"),
    ],
)
def test_what_is_no_picture_is_one_line(serve, body: bytes, status: int, line: str) -> None:
    found, headers, text = ask(serve(), "POST", "/api/read", body)
    assert (found, headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert line in text.decode() and "\n" not in text.decode().strip()


def part_of_a_form(picture: bytes) -> bytes:
    """What `curl -F picture=@photo.png` sends."""
    head = b'--x\r\nContent-Disposition: form-data; name="picture"; filename="photo.png"\r\n'
    return head + b"Content-Type: image/png\r\n\r\n" + picture + b"\r\n--x--\r\n"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (part_of_a_form(picture_of()), "multipart/form-data; boundary=x", 415),
        (part_of_a_form(bytes(5_000_000)), "Multipart/Form-Data; boundary=x", 415),
        (b"picture=%40photo.png", "application/x-www-form-urlencoded", 415),
        (
            picture_of(),
            "application/x-www-form-urlencoded",
            200,
        ),  # what `curl --data-binary @photo.png` says that it sends
        (picture_of()[:60], "application/x-www-form-urlencoded", 422),
        (b"", "application/x-www-form-urlencoded", 422),
        (picture_of(), "image/png", 200),
    ],
)
def test_a_form_is_told_how_to_send_a_picture(serve, body: bytes, kind: str, status: int) -> None:
    page = serve()
    found, _headers, text = ask(page, "POST", "/api/read", body, Content_Type=kind)
    assert found == status
    if status == 415:
        assert text.decode() == (
            f"picture: expected the picture itself as the body, got a form ({kind.partition(';')[0].lower()}); "
            f"send it by: curl --data-binary @photo.jpg http://127.0.0.1:{page.port}/api/read"
        )


def test_body_is_bounded_whatever_its_headers_say(serve, monkeypatch) -> None:
    monkeypatch.setattr(app, "MAX_BODY", 1000)
    page = serve()
    assert ask(page, "POST", "/api/read", bytes(1001))[0] == 413
    with socket.create_connection(("127.0.0.1", page.port), timeout=30) as raw:
        raw.sendall(b"POST /api/read HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(20):
            raw.sendall(b"64\r\n" + bytes(100) + b"\r\n")
        assert b" 413 " in raw.recv(100)


def test_body_that_never_ends_is_let_go(serve, monkeypatch) -> None:
    monkeypatch.setattr(app, "BODY_SECONDS", 0.3)
    with socket.create_connection(("127.0.0.1", serve().port), timeout=30) as raw:
        raw.sendall(b"POST /api/read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc")
        assert b" 408 " in raw.recv(100)


def test_too_many_requests_are_refused_and_told_when_to_come_again(serve) -> None:
    page = serve()
    answers = [ask(page, "POST", "/api/start") for _ in range(60)]
    refused = [headers for status, headers, _ in answers if status == 429]
    assert refused and int(refused[0]["retry-after"]) >= 1
    assert answers[0][0] == 409  # nothing to start: no loop is attached


def test_buttons_reach_the_loop(serve) -> None:
    page, loop = serve(), Loop()
    page.attach(loop)
    assert ask(page, "POST", "/api/stop")[0] == 200
    assert not page.hub.running
    assert ask(page, "POST", "/api/start")[0] == 200
    assert loop.calls == ["pause", "resume"]
    assert ask(page, "GET", "/api/stop")[0] == 405


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:1"}, 200),
        ({"Host": "evil.example"}, 421),
        ({"Host": ""}, 421),
    ],
)
def test_only_localhost_is_served_without_a_token(serve, headers: dict[str, str], status: int) -> None:
    assert ask(serve(), "GET", "/", **headers)[0] == status


def test_other_pages_may_not_press_the_buttons(serve) -> None:
    page = serve()
    page.attach(Loop())
    assert ask(page, "POST", "/api/stop", Origin="http://evil.example")[0] == 403
    assert ask(page, "POST", "/api/stop", Origin=f"http://127.0.0.1:{page.port}")[0] == 200


def test_token_is_asked_for_and_moves_into_a_cookie(serve) -> None:
    page = serve(token="a-long-enough-token")
    assert ask(page, "GET", "/")[0] == 401
    assert ask(page, "GET", "/?token=wrong")[0] == 401
    assert ask(page, "GET", "/stream.mjpg?token=a-long-enough-token")[0] == 401
    status, headers, _ = ask(page, "GET", "/?token=a-long-enough-token")
    assert (status, headers["location"]) == (303, "/")
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert ask(page, "GET", "/", Cookie=cookie.split(";")[0])[0] == 200
    assert ask(page, "GET", "/metrics", Authorization="Bearer a-long-enough-token")[0] == 200
    assert ask(page, "GET", "/metrics", Authorization="bearer a-long-enough-token")[0] == 200, "RFC 9110, 11.1"
    assert ask(page, "GET", "/metrics", Authorization="Basic a-long-enough-token")[0] == 401
    status, headers, line = ask(page, "GET", "/metrics", Authorization="a-long-enough-token")
    assert (status, headers["www-authenticate"]) == (401, "Bearer") and b"Authorization: Bearer" in line
    assert ask(page, "GET", "/healthz")[::2] == (503, b"no frame yet"), "asked without a token"


def test_tokens_cannot_be_tried_without_end(serve) -> None:
    page = serve(token="a-long-enough-token")
    assert 429 in {ask(page, "GET", f"/?token=guess{i}")[0] for i in range(60)}


def test_every_other_address_gets_a_token(serve) -> None:
    page = serve("0.0.0.0:0")
    assert page.token and len(page.token) >= 20
    assert page.token in page.url
    assert ask(page, "GET", "/")[0] == 401


def test_stream_gives_pictures_and_readings(serve) -> None:
    page = serve()
    page.take(observation(0, "42", side=240))
    with socket.create_connection(("127.0.0.1", page.port), timeout=30) as raw:
        raw.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        got = b""
        while b"\xff\xd9" not in got:
            got += raw.recv(65536)
    jpeg = got[got.index(b"\xff\xd8") : got.index(b"\xff\xd9") + 2]
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (240, 240, 3)
    with socket.create_connection(("127.0.0.1", page.port), timeout=30) as raw:
        raw.sendall(b"GET /api/readings HTTP/1.1\r\nHost: localhost\r\n\r\n")
        got = b""
        while b"\n\n" not in got.partition(b"data: ")[2]:
            got += raw.recv(65536)
    message = json.loads(got.partition(b"data: ")[2].partition(b"\n\n")[0])
    assert (message["text"], message["dropped"], message["running"]) == ("42", 2, True)


def test_slow_viewer_holds_nobody_up(serve, monkeypatch) -> None:
    monkeypatch.setattr(hub, "RATE", 200)
    page = serve()
    stop = threading.Event()

    def loop() -> None:
        index = 0
        while not stop.is_set():
            page.take(observation(index, side=480))
            index += 1
            time.sleep(0.002)

    camera = threading.Thread(target=loop)
    camera.start()
    try:
        slow = [socket.create_connection(("127.0.0.1", page.port), timeout=30) for _ in range(3)]
        for raw in slow:  # asks, and takes nothing
            raw.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with socket.create_connection(("127.0.0.1", page.port), timeout=30) as quick:
            quick.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
            seen = 0
            while seen < 60:
                seen += quick.recv(1 << 20).count(b"--frame")
        assert ask(page, "GET", "/healthz")[0] == 200
        for raw in slow:
            raw.close()
    finally:
        stop.set()
        camera.join()


def test_viewers_are_bounded_and_leave_their_seat(serve, monkeypatch) -> None:
    monkeypatch.setattr(app, "VIEWERS", 2)
    page = serve()
    page.take(observation())
    raws = []
    for _ in range(2):
        raw = socket.create_connection(("127.0.0.1", page.port), timeout=30)
        raw.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in raw.recv(100)
        raws.append(raw)
    assert ask(page, "GET", "/stream.mjpg")[0] == 503
    for raw in raws:
        raw.close()
    deadline = time.monotonic() + 20
    while True:
        with socket.create_connection(("127.0.0.1", page.port), timeout=30) as raw:
            raw.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
            page.take(observation())
            if b" 200 " in raw.recv(100):
                break
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_health_tells_a_silent_camera_from_a_stopped_one(serve, monkeypatch) -> None:
    page, loop = serve(), Loop(paused=True)
    page.take(observation())
    assert ask(page, "GET", "/healthz")[::2] == (200, b"ok")
    monkeypatch.setattr(hub, "DEAD_SECONDS", 0)
    assert ask(page, "GET", "/healthz")[::2] == (503, b"no frame for 0 s")
    assert [page.hub.message()[name] for name in ("age_ms", "fps", "note")] == [None, None, "no frame for 0 s"]
    page.attach(loop)
    assert ask(page, "GET", "/healthz")[::2] == (200, b"stopped by a visitor")
    monkeypatch.setattr(hub, "DEAD_SECONDS", 3600)
    page.hub._moment -= 4000  # it was stopped for long
    ask(page, "POST", "/api/start")
    assert ask(page, "GET", "/healthz")[::2] == (200, b"ok"), "a camera that was stopped has its time to begin again"


def test_page_without_a_frame_yet_is_not_healthy_and_says_why(serve) -> None:
    page = serve()
    assert ask(page, "GET", "/healthz")[::2] == (503, b"no frame yet")
    assert page.hub.message()["note"] == "no frame yet"
    page.tell("camera 0: /dev/video0 is absent; trying again in 1 s")
    assert page.hub.message()["note"] == "camera 0: /dev/video0 is absent; trying again in 1 s"
    assert ask(page, "GET", "/healthz")[::2] == (503, b"no frame yet"), "healthz asks for no token, so it names nothing"
    page.attach(Loop(paused=True))
    assert ask(page, "GET", "/healthz")[0] == 503, "stopped or not, nobody has seen a picture"
    page.take(observation())
    assert ask(page, "GET", "/healthz")[0] == 200
    assert page.hub.message()["note"] is None
    page.close()
    assert page.hub.message()["note"] == "the source has ended"


def metrics_of(page) -> dict[str, float]:
    from prometheus_client.parser import text_string_to_metric_families

    status, headers, body = ask(page, "GET", "/metrics")
    assert status == 200 and headers["content-type"].startswith("text/plain")
    return {s.name: s.value for family in text_string_to_metric_families(body.decode()) for s in family.samples}


def test_running_is_1_only_while_frames_are_read(serve, monkeypatch) -> None:
    page, loop = serve(), Loop()
    page.attach(loop)
    assert metrics_of(page)["edgecnn_running"] == 0, "no camera yet"
    page.take(observation())
    assert metrics_of(page)["edgecnn_running"] == 1
    assert page.hub.message()["fps"] == metrics_of(page)["edgecnn_frames_per_second"] > 0
    loop.pause()
    assert metrics_of(page)["edgecnn_running"] == 0, "stopped by a visitor"
    assert metrics_of(page)["edgecnn_frames_per_second"] == 0, "an old frame has no rate"
    assert [page.hub.message()[name] for name in ("age_ms", "fps")] == [None, None]
    loop.resume()
    monkeypatch.setattr(hub, "DEAD_SECONDS", 0)
    assert metrics_of(page)["edgecnn_running"] == 0, "the camera was lost"


def test_a_camera_that_says_it_is_lost_is_not_running_until_its_next_frame(serve) -> None:
    page, loop, source = serve(), Loop(), Camera()
    page.attach(loop, source)
    page.take(observation())
    page.tell("camera 0: frames again")
    assert ask(page, "GET", "/healthz")[0] == 200, "not every line is of a loss"
    source.lost = True
    page.tell("camera 0: was unplugged; trying again in 0.5 s")
    page.take(observation(1))  # captured before, read later
    assert metrics_of(page)["edgecnn_running"] == 0
    assert ask(page, "GET", "/healthz")[::2] == (503, b"the camera is lost, and tried again")
    assert [page.hub.message()[name] for name in ("age_ms", "fps", "note", "running")] == [
        None, None, "the camera is lost, and tried again", True,
    ]  # fmt: skip
    loop.pause()
    assert ask(page, "GET", "/healthz")[::2] == (200, b"stopped by a visitor")
    loop.resume()
    source.lost = False
    page.take(observation(2))
    assert (metrics_of(page)["edgecnn_running"], ask(page, "GET", "/healthz")[0]) == (1, 200)


def test_a_film_has_a_position_and_neither_age_nor_rate(serve) -> None:
    page = serve()
    names = ("position", "age_ms", "fps")
    assert [page.hub.message()[name] for name in names] == [None, None, None]
    page.take(observation(1689, video=True))
    assert [page.hub.message()[name] for name in names] == ["0:01:07.56", None, None]
    page.hub.close()
    assert page.hub.message()["position"] == "0:01:07.56", "of the picture that stays"
    page.take(observation(0))
    assert page.hub.message()["position"] is None


def test_metrics_are_prometheus_text(serve) -> None:
    page = serve()
    page.take(observation(4, "123"))
    ask(page, "POST", "/api/read", picture_of())
    values = metrics_of(page)
    assert values["edgecnn_frames_total"] == 5
    assert values["edgecnn_frames_dropped_total"] == 2
    assert values["edgecnn_readings"] == 3
    assert values["edgecnn_uploads_total"] == 1
    assert 0 <= values["edgecnn_silence_seconds"] < 60


def test_closing_ends_streams_and_frees_the_port(serve) -> None:
    page = serve()
    page.take(observation())
    with socket.create_connection(("127.0.0.1", page.port), timeout=30) as raw:
        raw.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        raw.recv(100)
        page.close()
        while raw.recv(65536):
            pass
    socket.create_server(("127.0.0.1", page.port)).close()


def test_address_in_use_is_one_line(serve) -> None:
    page = serve()
    with pytest.raises(
        ArgumentError, match=f"cannot listen on 127.0.0.1:{page.port}: address already in use; try another$"
    ):
        serve(f"127.0.0.1:{page.port}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("127.0.0.1", 8080)),
        ("9000", ("127.0.0.1", 9000)),
        ("0.0.0.0", ("0.0.0.0", 8080)),
        ("pi.local:80", ("pi.local", 80)),
        ("[::1]:80", ("::1", 80)),
        ("::", ("::", 8080)),
    ],
)
def test_address_is_read(text: str, expected: tuple[str, int]) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize("text", ["a b", "host:port", "host:70000", "http://x", ":80", "[]:80"])
def test_address_refuses_what_is_none(text: str) -> None:
    with pytest.raises(ArgumentError, match="--serve: expected"):
        parse_address(text)


def test_short_token_is_refused(serve) -> None:
    with pytest.raises(ArgumentError, match="token: expected 8 to 200 characters, got 3"):
        serve(token="abc")


@pytest.mark.parametrize(
    "token", ["eight or more", "eight;more", "eight&more", "eight\r\nmore", "eight+more", "achtgr\u00f6\u00dfer"]
)
def test_a_token_that_an_address_or_a_cookie_cannot_hold_is_refused(serve, token) -> None:
    with pytest.raises(ArgumentError, match="token: expected letters, digits"):
        serve(token=token)


def test_command_serves_a_video_as_it_plays(shipped, tmp_path) -> None:
    """The whole way: a process, a video source, the page's stream of readings, an end by SIGTERM."""
    video = tmp_path / "seven.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    frame = np.full((240, 320, 3), 240, np.uint8)
    cv2.polylines(frame, [np.array([(110, 60), (200, 60), (150, 190)], np.int32)], False, (20, 20, 20), 12, cv2.LINE_AA)
    for _ in range(600):
        writer.write(frame)
    writer.release()
    command = [sys.executable, "-c", "from edgecnn.cli import main; main()", "run", str(shipped), str(video)]
    process = subprocess.Popen([*command, "--serve", "0"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        line = process.stderr.readline()
        port = int(line.rsplit(":", 1)[1].strip(" /\n"))
        with socket.create_connection(("127.0.0.1", port), timeout=60) as raw:
            raw.sendall(b"GET /api/readings HTTP/1.1\r\nHost: localhost\r\n\r\n")
            got = b""
            while b'"text": "7"' not in got:
                part = raw.recv(65536)
                assert part, got[-500:]
                got += part
        process.terminate()
        assert process.wait(timeout=60) in (0, 130)
    finally:
        process.kill()
        process.communicate()
