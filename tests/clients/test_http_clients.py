"""HTTP clients as they are: `proxy_environment` alone sends them to the emulator."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import shutil
import time
import urllib.request

import pytest

pytestmark = pytest.mark.real_time

HOST = "https://sens.apigw.ntruss.com"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
CERTIFICATES = ("SSL_CERT_DIR", "CURL_CA_BUNDLE")


@pytest.fixture
def environ(emulator, monkeypatch):
    """The environment of this process, with the emulator's variables and no others like them."""
    for name in (*PROXIES, *map(str.upper, PROXIES), *CERTIFICATES):
        monkeypatch.delenv(name, raising=False)
    for name, value in emulator.proxy_environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def request_(emulator, environ):
    """URL, headers and body of a send."""
    target = f"/sms/v2/services/{emulator.service_id}/messages"
    stamp = str(time.time_ns() // 1_000_000)
    text = f"POST {target}\n{stamp}\n{emulator.access_key}"
    mac = hmac.digest(emulator.secret_key.encode(), text.encode(), hashlib.sha256)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "x-ncp-apigw-timestamp": stamp,
        "x-ncp-iam-access-key": emulator.access_key,
        "x-ncp-apigw-signature-v2": base64.b64encode(mac).decode(),
    }
    body = {"type": "SMS", "from": emulator.sender, "content": "안녕하세요"}
    body = json.dumps({**body, "messages": [{"to": "01012345678"}]})
    return HOST + target, headers, body.encode()


async def test_urllib(emulator, request_):
    url, headers, body = request_

    def send():
        request = urllib.request.Request(url, body, headers)
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status

    assert await asyncio.to_thread(send) == 202
    assert list(emulator.admissions) == ["01012345678"]


async def test_requests(emulator, request_):
    requests = pytest.importorskip("requests")
    url, headers, body = request_

    def send():
        return requests.post(url, data=body, headers=headers, timeout=10).status_code

    assert await asyncio.to_thread(send) == 202
    assert list(emulator.admissions) == ["01012345678"]


async def test_httpx(emulator, request_):
    httpx = pytest.importorskip("httpx")
    url, headers, body = request_
    async with httpx.AsyncClient() as client:
        response = await client.post(url, content=body, headers=headers)

    assert response.status_code == 202
    assert list(emulator.admissions) == ["01012345678"]


async def test_curl(emulator, request_):
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    url, headers, body = request_
    arguments = ["--silent", "--show-error", "--fail", "--max-time", "10", "--data-binary", "@-"]
    for name, value in headers.items():
        arguments += ["--header", f"{name}: {value}"]
    process = await asyncio.create_subprocess_exec(
        curl,
        "--disable",  # its own configuration file
        *arguments,
        url,
        env=dict(os.environ),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(body)

    assert process.returncode == 0, err.decode()
    assert json.loads(out)["statusName"] == "success"
    assert list(emulator.admissions) == ["01012345678"]
